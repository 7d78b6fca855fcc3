#pragma once
// All kinds of layers. Whoever must do something for each of them - JSON's reader, the lowerings of
// the engines - goes over this list, so that none can be forgotten.

#include <millrace/nn/layers/adaptive_avg_pool.h>
#include <millrace/nn/layers/add.h>
#include <millrace/nn/layers/avg_pool2d.h>
#include <millrace/nn/layers/batch_norm.h>
#include <millrace/nn/layers/concat.h>
#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/layers/dense.h>
#include <millrace/nn/layers/dropout.h>
#include <millrace/nn/layers/flatten.h>
#include <millrace/nn/layers/global_avg_pool.h>
#include <millrace/nn/layers/max_pool2d.h>
#include <millrace/nn/layers/multiply.h>
#include <millrace/nn/layers/relu.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/layers/softmax.h>
#include <millrace/nn/layers/tanh.h>

#include <optional>
#include <string_view>

// Macros, because an engine declares a function a kind from them, which no template can.
/// Kinds that are Elementwise, and nothing else to an engine. (A ReLU is: what makes its input can
/// do its work.)
#define MILLRACE_ELEMENTWISE_KINDS(KIND) \
  KIND(Sigmoid)                          \
  KIND(Tanh)
#define MILLRACE_LAYER_KINDS(KIND) \
  MILLRACE_ELEMENTWISE_KINDS(KIND) \
  KIND(AdaptiveAvgPool)            \
  KIND(Add)                        \
  KIND(AvgPool2D)                  \
  KIND(BatchNorm)                  \
  KIND(Concat)                     \
  KIND(Conv2D)                     \
  KIND(Dense)                      \
  KIND(Dropout)                    \
  KIND(Flatten)                    \
  KIND(GlobalAvgPool)              \
  KIND(MaxPool2D)                  \
  KIND(Multiply)                   \
  KIND(Relu)                       \
  KIND(Softmax)

namespace millrace::nn {

/// The kind of that name with the options that it has by itself; nothing if there is none.
[[nodiscard]] inline std::optional<LayerKind> layer_kind(std::string_view name) {
#define MILLRACE_KIND(Kind) \
  if (name == Kind::kFacts.name) return LayerKind(Kind{});
  MILLRACE_LAYER_KINDS(MILLRACE_KIND)
#undef MILLRACE_KIND
  return std::nullopt;
}

/// Calls visit(const Kind&) with what the layer is; false if it is none of these kinds.
template <class Visit>
bool visit_kind(const LayerKind& layer, Visit&& visit) {
#define MILLRACE_VISIT_KIND(Kind)                \
  if (const auto* kind = layer.get_if<Kind>()) { \
    visit(*kind);                                \
    return true;                                 \
  }
  MILLRACE_LAYER_KINDS(MILLRACE_VISIT_KIND)
#undef MILLRACE_VISIT_KIND
  return false;
}

}  // namespace millrace::nn
