#include <millrace/nn/layers/registry.h>

#include <millrace/nn/layers/kinds.h>

#include <algorithm>
#include <mutex>
#include <vector>

namespace millrace::nn {
namespace {

std::vector<LayerKind> kinds_of_the_library() {
  std::vector<LayerKind> kinds;
#define MILLRACE_KIND(Kind) kinds.emplace_back(Kind{});
  MILLRACE_LAYER_KINDS(MILLRACE_KIND)
#undef MILLRACE_KIND
  return kinds;
}

struct Registry {
  std::mutex mutex;
  std::vector<LayerKind> kinds = kinds_of_the_library();
};

Registry& registry() {
  static Registry all;
  return all;
}

}  // namespace

void register_layer_kind(const LayerKind& kind) {
  const std::string_view name = kind.facts().name, stem = kind.facts().stem;
  const std::lock_guard lock(registry().mutex);
  for (const LayerKind& other : registry().kinds) {
    if (other == kind) return;
    if (other.facts().name == name || other.facts().stem == stem) {
      throw UsageError(concat("there is a kind of layer with the name '", other.facts().name,
                              "' and the stem '", other.facts().stem, "' already; call '", name,
                              "' otherwise"));
    }
  }
  registry().kinds.push_back(kind);
}

std::optional<LayerKind> layer_kind(std::string_view name) {
  const std::lock_guard lock(registry().mutex);
  const auto found = std::ranges::find_if(
      registry().kinds, [&](const LayerKind& kind) { return kind.facts().name == name; });
  if (found == registry().kinds.end()) return std::nullopt;
  return *found;
}

}  // namespace millrace::nn
