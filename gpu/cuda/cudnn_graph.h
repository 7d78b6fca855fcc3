#pragma once
// A convolution as cudnn-frontend describes it: the operations of its pass, and which plans for
// them the engine takes. For cudnn_plans.cpp, the only file that includes cudnn-frontend.

#include <millrace/gpu/operations.h>

#include <cudnn_frontend.h>

#include <array>
#include <cstdint>
#include <memory>

namespace millrace::gpu::cudnn {

namespace fe = cudnn_frontend;
using fe::graph::Tensor_attributes;
using Tensor = std::shared_ptr<Tensor_attributes>;
using Note = fe::NumericalNote_t;

/// Names of the tensors in cuDNN's variant pack.
enum Uid : std::int64_t { kX = 1, kW, kY, kBias };

/// The list of candidates has no public reader for notes.
struct Graph : fe::graph::Graph {
  using fe::ICudnn::plans;
};

inline fe::DataType_t storage(nn::Precision precision) {
  switch (nn::storage_of(precision)) {
    case DType::f16: return fe::DataType_t::HALF;
    case DType::bf16: return fe::DataType_t::BFLOAT16;
    default: return fe::DataType_t::FLOAT;
  }
}

/// Tensors are NHWC in memory; cuDNN takes their sizes in the order N, C, H, W.
inline Tensor_attributes nhwc(Uid uid, const char* name, std::array<std::int64_t, 4> size) {
  const auto [n, h, w, c] = size;
  return Tensor_attributes()
      .set_name(name)
      .set_uid(uid)
      .set_dim({n, c, h, w})
      .set_stride({h * w * c, 1, w * c, c});
}

template <class Attributes>
Attributes window(const Convolution& c) {
  return Attributes()
      .set_pre_padding({c.top, c.left})
      .set_post_padding({c.bottom, c.right})
      .set_stride({c.stride.rows, c.stride.columns})
      .set_dilation({c.dilation.rows, c.dilation.columns});
}

inline Tensor with_bias_and_relu(Graph& graph, const Convolution& c, Tensor y) {
  const auto pointwise = [](fe::PointwiseMode_t mode) {
    return fe::graph::Pointwise_attributes().set_mode(mode);
  };
  if (c.bias) {
    const Tensor bias = graph.tensor(nhwc(kBias, "bias", {1, 1, 1, c.filters}));
    y = graph.pointwise(y, bias, pointwise(fe::PointwiseMode_t::ADD));
  }
  if (c.relu) y = graph.pointwise(y, pointwise(fe::PointwiseMode_t::RELU_FWD));
  return y;
}

/// The operations of the pass, not yet known to cuDNN.
inline void describe(Graph& graph, const Convolution& c) {
  graph.set_io_data_type(storage(c.precision))
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const Tensor_attributes x = nhwc(kX, "x", {c.batch, c.height, c.width, c.channels});
  // cuDNN sees groups in that kernels have fewer channels than images.
  const Tensor_attributes w = nhwc(kW, "w", {c.filters, c.rows, c.columns, c.channels / c.groups});
  const Tensor_attributes y = nhwc(kY, "y", {c.batch, c.out_height, c.out_width, c.filters});
  const auto make = [&c](const Tensor_attributes& shape, const Tensor& result) {
    result->set_output(true)
        .set_name(shape.get_name())
        .set_uid(shape.get_uid())
        .set_dim(shape.get_dim())
        .set_stride(shape.get_stride())
        .set_data_type(storage(c.precision));
  };
  using namespace fe::graph;
  switch (c.pass) {
    case Convolution::Pass::forward:
      return make(y, with_bias_and_relu(graph, c,
                                        graph.conv_fprop(graph.tensor(x), graph.tensor(w),
                                                         window<Conv_fprop_attributes>(c))));
    case Convolution::Pass::backward_data:
      return make(
          x, graph.conv_dgrad(graph.tensor(y), graph.tensor(w), window<Conv_dgrad_attributes>(c)));
    case Convolution::Pass::backward_weights:
      return make(
          w, graph.conv_wgrad(graph.tensor(y), graph.tensor(x), window<Conv_wgrad_attributes>(c)));
  }
}

/// What the engine takes: see Cudnn::plans.
inline void filter(Graph& graph, const Convolution& c, Bytes workspace) {
  graph.deselect_workspace_greater_than(static_cast<std::int64_t>(workspace.count));
  // Large tiles of Winograd lose too many digits.
  graph.deselect_numeric_notes({Note::NONDETERMINISTIC, Note::REDUCED_PRECISION_REDUCTION,
                                Note::WINOGRAD_TILE_6x6, Note::WINOGRAD_TILE_13x13});
  if (c.precision == nn::Precision::fp32) {
    graph.deselect_numeric_notes({Note::TENSOR_CORE, Note::DOWN_CONVERT_INPUTS});
  } else if (c.groups == 1) {  // small groups leave tensor cores nothing to do
    graph.select_numeric_notes({Note::TENSOR_CORE});
  }
}

}  // namespace millrace::gpu::cudnn
