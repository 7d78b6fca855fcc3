#include <millrace/nn/layers/registry.h>

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/registry.h>

#include <deque>

namespace millrace::nn {
namespace {

std::deque<LayerEntry> kinds_of_the_library() {
  std::deque<LayerEntry> kinds;
#define MILLRACE_KIND(Kind) kinds.push_back({Kind{}, &typeid(Kind)});
  MILLRACE_LAYER_KINDS(MILLRACE_KIND)
#undef MILLRACE_KIND
  return kinds;
}

Registry<LayerEntry>& registry() {
  static Registry<LayerEntry> all("kind of layer", kinds_of_the_library());
  return all;
}

}  // namespace

void register_layer_kind(const LayerEntry& entry) {
  const std::string_view stem = entry.kind.facts().stem;
  const auto other = registry().find_if([&](const LayerEntry& known) {
    return known.kind.facts().stem == stem && *known.type != *entry.type;
  });
  if (other) {
    throw UsageError(concat("kind of layer '", entry.name(), "': its stem '", stem,
                            "' is that of '", registry().at(*other).name(), "'; choose another"));
  }
  registry().add(entry);
}

std::optional<LayerKind> layer_kind(std::string_view name) {
  const auto place =
      registry().find_if([&](const LayerEntry& entry) { return entry.name() == name; });
  if (!place) return std::nullopt;
  return registry().at(*place).kind;
}

}  // namespace millrace::nn
