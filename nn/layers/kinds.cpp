#include <millrace/nn/layers/kinds.h>

namespace millrace::nn {

std::optional<LayerKind> layer_kind(std::string_view name) {
#define MILLRACE_KIND(Kind) \
  if (name == Kind::kFacts.name) return LayerKind(Kind{});
  MILLRACE_LAYER_KINDS(MILLRACE_KIND)
#undef MILLRACE_KIND
  return std::nullopt;
}

}  // namespace millrace::nn
