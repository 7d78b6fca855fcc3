// Convolutions. Images are kept in the blocks of channels that the kernels work in; which layout
// and algorithm a pass runs with is the first of a list of candidates that oneDNN has generated
// code for.

#include <millrace/cpu/lowering.h>
#include <millrace/nn/window.h>

#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Convolution;
using onednn::Found;
using onednn::Kernel;
using onednn::Tag;

/// The seam for the choice of algorithms: each is tried with each layout, in this order. Winograd's
/// multiplies less and moves more, which pays where there are channels enough.
std::vector<dnnl::algorithm> algorithms(const Lowering& lowering, const Convolution& shape) {
  constexpr std::int64_t kEnoughChannels = 32;
  const onednn::Window& window = shape.window;
  const bool is_candidate = lowering.options().winograd && window.rows == 3 &&
                            window.columns == 3 && window.stride == 1 &&
                            shape.source.dims()[1] >= kEnoughChannels &&
                            shape.destination.dims()[1] >= kEnoughChannels;
  if (!is_candidate) return {dnnl::algorithm::convolution_direct};
  return {dnnl::algorithm::convolution_winograd, dnnl::algorithm::convolution_direct};
}

Convolution shape_of(const Lowering& lowering, const nn::Op& op, const Shape& x, const Shape& y) {
  const auto& layer = std::get<nn::Conv2D>(lowering.layer(op).kind);
  const nn::Window down = nn::window(x[1], layer.rows, layer.stride, layer.padding);
  const nn::Window across = nn::window(x[2], layer.columns, layer.stride, layer.padding);
  Convolution shape;
  shape.window = {layer.rows,    layer.columns, layer.stride, down.before,
                  across.before, down.after,    across.after};
  shape.source = onednn::layout(dims_of(x), Tag::any);
  shape.destination = onednn::layout(dims_of(y), Tag::any);
  shape.bias = layer.bias;
  return shape;
}

Layout image(const Layout& like, Tag tag) {
  return onednn::layout(like.dims(), tag);
}

/// Candidates of a pass: each algorithm with each pair of image layouts, with the weights as they
/// lie in the arena where `weights` says so, then with weights as the kernel wants them.
template <class Find>
std::vector<Found> candidates(const Lowering& lowering, Convolution shape, const Layout& weights,
                              const std::vector<std::pair<Layout, Layout>>& images, Find&& find) {
  std::vector<Found> found;
  for (const dnnl::algorithm algorithm : algorithms(lowering, shape)) {
    for (const auto& [source, destination] : images) {
      for (const Layout& w : {weights, onednn::any(weights)}) {
        shape.algorithm = algorithm;
        shape.source = source;
        shape.destination = destination;
        shape.weights = w;
        found.push_back(find(shape));
      }
    }
  }
  return found;
}

void forward(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId y = op.outputs[0];
  const Convolution shape =
      shape_of(lowering, op, lowering.value(op.inputs[0]).shape, lowering.value(y).shape);
  const nn::ValueId relu = lowering.fuse_relu(y);
  // NHWC on both sides is what first layers with odd numbers of channels fall back to.
  const Kernel kernel = lowering.choose(
      op, candidates(lowering, shape, lowering.parameter_layout(op.inputs[1]),
                     {{shape.source, shape.destination},
                      {image(shape.source, Tag::nhwc), image(shape.destination, Tag::nhwc)}},
                     [&](const Convolution& c) {
                       return onednn::convolution_forward(lowering.engine(), c, lowering.purpose(),
                                                          relu >= 0);
                     }));
  const Layout source = kernel.at(DNNL_ARG_SRC);
  const Layout destination = kernel.at(DNNL_ARG_DST);
  lowering.forward(op) = {source, destination};
  std::vector<Use> uses{
      {DNNL_ARG_SRC, lowering.in_layout(op.inputs[0], source)},
      {DNNL_ARG_WEIGHTS, lowering.parameter(op.inputs[1], kernel.at(DNNL_ARG_WEIGHTS))},
      {DNNL_ARG_DST, lowering.make(relu >= 0 ? relu : y, destination)}};
  if (shape.bias) {
    uses.push_back({DNNL_ARG_BIAS, lowering.parameter(op.inputs[2], kernel.at(DNNL_ARG_BIAS))});
  }
  lowering.append(lowering.step_name(op, relu >= 0 ? "+ relu" : ""), kernel, std::move(uses));
}

/// The layouts of the forward pass come first: then nothing has to be converted.
std::vector<std::pair<Layout, Layout>> backward_images(const Lowering::Forward& forward) {
  const auto& [source, destination] = forward;
  return {{source, destination},
          {onednn::any(source), onednn::any(destination)},
          {image(source, Tag::nhwc), image(destination, Tag::nhwc)},
          {image(source, Tag::nchw), image(destination, Tag::nChw16c)}};
}

void backward_data(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId dy = op.inputs[0];
  const nn::ValueId dx = op.outputs[0];
  const Convolution shape =
      shape_of(lowering, op, lowering.value(dx).shape, lowering.value(dy).shape);
  const Layout weights = onednn::any(lowering.parameter_layout(op.inputs[1]));
  const Kernel kernel = lowering.choose(
      op, candidates(lowering, shape, weights, backward_images(lowering.forward(op)),
                     [&](const Convolution& c) {
                       return onednn::convolution_backward_data(lowering.engine(), c);
                     }));
  const SlotId from = lowering.in_layout(dy, kernel.at(DNNL_ARG_DIFF_DST));
  const SlotId w = lowering.parameter(op.inputs[1], kernel.at(DNNL_ARG_WEIGHTS));
  const SlotId to = lowering.make(dx, kernel.at(DNNL_ARG_DIFF_SRC));
  lowering.append(lowering.step_name(op), kernel,
                  {{DNNL_ARG_DIFF_DST, from}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_SRC, to}});
}

void backward_weights(Lowering& lowering, const nn::Op& op) {
  const auto [x, dy] = std::pair(op.inputs[0], op.inputs[1]);
  const Convolution shape =
      shape_of(lowering, op, lowering.value(x).shape, lowering.value(dy).shape);
  const Kernel kernel = lowering.choose(
      op, candidates(lowering, shape, lowering.parameter_layout(op.outputs[0]),
                     backward_images(lowering.forward(op)), [&](const Convolution& c) {
                       return onednn::convolution_backward_weights(lowering.engine(), c);
                     }));
  const SlotId source = lowering.in_layout(x, kernel.at(DNNL_ARG_SRC));
  const SlotId destination = lowering.in_layout(dy, kernel.at(DNNL_ARG_DIFF_DST));
  lowering.append_parameter_gradients(op, kernel, source, destination, shape.bias);
}

}  // namespace

void lower_convolution(Lowering& lowering, const nn::Op& op) {
  switch (op.pass) {
    case nn::Pass::forward: return forward(lowering, op);
    case nn::Pass::backward_data: return backward_data(lowering, op);
    case nn::Pass::backward_parameters: return backward_weights(lowering, op);
  }
}

}  // namespace millrace::cpu
