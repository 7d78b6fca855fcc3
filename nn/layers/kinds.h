#pragma once
// All kinds of layers. Code for each of them - JSON's reader, the lowerings of
// the engines - is derived from this list, so that none can be forgotten.

#include <millrace/nn/layers/adaptive_avg_pool.h>
#include <millrace/nn/layers/add.h>
#include <millrace/nn/layers/avg_pool2d.h>
#include <millrace/nn/layers/batch_norm.h>
#include <millrace/nn/layers/concat.h>
#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/layers/dense.h>
#include <millrace/nn/layers/dropout.h>
#include <millrace/nn/layers/flatten.h>
#include <millrace/nn/layers/gelu.h>
#include <millrace/nn/layers/global_avg_pool.h>
#include <millrace/nn/layers/hard_sigmoid.h>
#include <millrace/nn/layers/hard_swish.h>
#include <millrace/nn/layers/layer_norm.h>
#include <millrace/nn/layers/leaky_relu.h>
#include <millrace/nn/layers/max_pool2d.h>
#include <millrace/nn/layers/multiply.h>
#include <millrace/nn/layers/relu.h>
#include <millrace/nn/layers/relu6.h>
#include <millrace/nn/layers/scale.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/layers/silu.h>
#include <millrace/nn/layers/softmax.h>
#include <millrace/nn/layers/stochastic_depth.h>
#include <millrace/nn/layers/tanh.h>
#include <millrace/nn/layers/upsample.h>
#include <millrace/nn/layers/zero_padding.h>

// Macros, because an engine declares a function a kind from them, which no template can.
/// Kinds that are Elementwise, and nothing else to an engine. (A ReLU is: what makes its input can
/// do its work.)
#define MILLRACE_ELEMENTWISE_KINDS(KIND) \
  KIND(Gelu)                             \
  KIND(HardSigmoid)                      \
  KIND(HardSwish)                        \
  KIND(LeakyRelu)                        \
  KIND(Relu6)                            \
  KIND(Sigmoid)                          \
  KIND(Silu)                             \
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
  KIND(LayerNorm)                  \
  KIND(MaxPool2D)                  \
  KIND(Multiply)                   \
  KIND(Relu)                       \
  KIND(Scale)                      \
  KIND(Softmax)                    \
  KIND(StochasticDepth)            \
  KIND(Upsample)                   \
  KIND(ZeroPadding)

namespace millrace::nn {

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
