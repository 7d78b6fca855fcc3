// Convolutions. Images are kept in the blocks of channels that the kernels work in. What comes
// right after one - a batch norm with given statistics, a shortcut that is added, a ReLU or ReLU6 -
// is done on the way.

#include <millrace/cpu/lower/convolution_ways.h>
#include <millrace/cpu/lower/folded_norm.h>
#include <millrace/cpu/lower/winograd.h>
#include <millrace/nn/window.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Convolution;
using onednn::Found;
using onednn::Tag;
using Pass = ConvolutionPass;

Convolution shape_of(const Lowering& lowering, const nn::Op& op, const Shape& x, const Shape& y,
                     const Layout& weights) {
  const auto& layer = *lowering.graph().kind<nn::Conv2D>(op);
  Convolution shape;
  shape.window = onednn::placed(layer.window(), x);
  shape.weights = onednn::any(weights);
  shape.source = onednn::layout(dims_of(x), Tag::any);
  shape.destination = onednn::layout(dims_of(y), Tag::any);
  shape.bias = layer.bias;
  return shape;
}

void append(Lowering& lowering, const nn::Op& op, const Pass& pass, const Images& images,
            const FindConvolution& find, const std::optional<OwnKernel>& own = {}) {
  const Way way = choose(lowering, op, pass, images, find, own);
  lowering.append(op, way, pass.arguments, for_rows(way, pass.shape, find));
}

/// What training would do, in evaluation too: oneDNN's kernels for inference prefer NHWC, but those
/// that do the layers between them, and those that are faster, do not.
Found preferred(const Lowering& lowering, const Convolution& shape, const onednn::After& after) {
  return onednn::convolution_forward(lowering.engine(), shape, onednn::Purpose::training, after);
}

/// Whether a kernel can add to what lies in a slot as well: by Winograd's algorithm, which is worth
/// more than a sum, if that is our own; else only where it makes that slot's layout anyway.
bool can_add_into(const Lowering& lowering, Convolution shape, const onednn::After& after,
                  SlotId slot) {
  if (may_be_winograd(lowering, shape)) {
    return own_winograd(lowering, shape, false) &&
           lowering.layout(slot) == with_tag(shape.destination, Tag::nChw16c);
  }
  const Found alone = preferred(lowering, shape, {});
  if (!alone || alone->at(DNNL_ARG_DST) != lowering.layout(slot)) return false;
  shape.destination = lowering.layout(slot);
  const Found adding = preferred(lowering, shape, after);
  return adding && !adding->is_reference();
}

/// What the kernel makes that makes the value `y`, of the convolution or of a norm that it does.
Lowering::Made fuse(Lowering& lowering, nn::ValueId y, const Convolution& shape) {
  const nn::ValueUses& uses = lowering.uses();
  const Lowering::Sum sum = lowering.sum_behind(y);
  if (sum.op != nullptr && lowering.may_add_into(sum) &&
      can_add_into(lowering, shape, {true, uses.rectifier_of(sum.op->y()).ceiling},
                   lowering.slot_of(sum.other))) {
    return lowering.fuse(y, sum);
  }
  // oneDNN's kernels for Winograd's algorithm do a ReLU alone.
  const bool loses_winograd = uses.relu_of(y) == nullptr && may_be_winograd(lowering, shape) &&
                              !own_winograd(lowering, shape, false);
  return loses_winograd ? Lowering::Made{.value = y} : lowering.fuse(y);
}

void forward(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId x = op.x(), weights = op.parameter(nn::Role::kernel);
  const Layout arena = lowering.parameter_layout(weights);
  Convolution shape = shape_of(lowering, op, lowering.shape(x), lowering.shape(op.y()), arena);
  const nn::Op* const norm = foldable_norm(lowering, op);
  if (norm != nullptr) {
    shape.bias = true;
    lowering.leave_out(*norm);
  }
  const Lowering::Made made = fuse(lowering, norm != nullptr ? norm->y() : op.y(), shape);
  Layout expected;  // by the neighbours: what the first way makes
  const Pass pass{.name = "forward",
                  .arguments = {{DNNL_ARG_SRC, x},
                                {DNNL_ARG_DST, made.value},
                                {DNNL_ARG_WEIGHTS, weights},
                                {DNNL_ARG_BIAS, op.parameter(nn::Role::bias)}},
                  .shape = shape,
                  .weights = arena,
                  .after = made.after(),
                  .has_norm = norm != nullptr,
                  .conversions = [&](const Way& way) {
                    const Layout result = way.at(DNNL_ARG_DST);
                    if (expected.get_size() == 0) expected = result;
                    return Images{{lowering.layout(lowering.slot_of(x)), way.at(DNNL_ARG_SRC)},
                                  {pass.weights, way.at(DNNL_ARG_WEIGHTS)},
                                  {result, expected}};
                  }};
  if (made.added >= 0) {
    shape.destination =
        lowering.layout(lowering.make_in_place(made.value, lowering.slot_of(made.added)));
  }
  Images images;
  if (const Found first = preferred(lowering, shape, made.after())) {
    images = {{first->at(DNNL_ARG_SRC), first->at(DNNL_ARG_DST)}};
  }
  images.emplace_back(shape.source, shape.destination);
  if (made.added < 0) {  // what first layers with odd numbers of channels fall back to
    images.emplace_back(with_tag(shape.source, Tag::nhwc), with_tag(shape.destination, Tag::nhwc));
  }
  const auto find = [&lowering, after = made.after()](const Convolution& c) {
    return onednn::convolution_forward(lowering.engine(), c, lowering.purpose(), after);
  };
  const Way way = choose(lowering, op, pass, images, find, own_kernel(lowering, pass, false));
  auto arguments = pass.arguments;
  std::string detail = made.detail();
  if (norm != nullptr) {
    const FoldedNorm folded = fold(lowering, op, *norm, way.at(DNNL_ARG_WEIGHTS));
    arguments[2].slot = folded.kernel;
    arguments[3].slot = folded.bias;
    detail = concat("+ norm", detail.empty() ? "" : " ", detail);
  }
  lowering.append(op, way, arguments, for_rows(way, pass.shape, find), detail);
  lowering.forward(op) = {way.at(DNNL_ARG_SRC), way.at(DNNL_ARG_DST)};
}

/// The layouts of the forward pass come first: then nothing has to be converted.
Images backward_images(const Lowering::Forward& forward) {
  const auto& [source, destination] = forward;
  return {{source, destination},
          {onednn::any(source), onednn::any(destination)},
          {with_tag(source, Tag::nhwc), with_tag(destination, Tag::nhwc)},
          {with_tag(source, Tag::nchw), with_tag(destination, Tag::nChw16c)}};
}

void backward_data(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId dy = op.dy(), dx = op.dx(), weights = op.parameter(nn::Role::kernel);
  const Layout arena = lowering.parameter_layout(weights);
  const Pass pass{
      .name = "backward data",
      .arguments = {{DNNL_ARG_DIFF_SRC, dx}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_WEIGHTS, weights}},
      .shape = shape_of(lowering, op, lowering.shape(dx), lowering.shape(dy), arena),
      .weights = arena,
      .conversions = [&](const Way& way) {
        return Images{{lowering.layout(lowering.slot_of(dy)), way.at(DNNL_ARG_DIFF_DST)},
                      {pass.weights, way.at(DNNL_ARG_WEIGHTS)},
                      {way.at(DNNL_ARG_DIFF_SRC), lowering.forward(op).source}};
      }};
  append(
      lowering, op, pass, backward_images(lowering.forward(op)),
      [&lowering](const Convolution& c) {
        return onednn::convolution_backward_data(lowering.engine(), c);
      },
      own_kernel(lowering, pass, true));
}

void backward_weights(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId x = op.x(), dy = op.dy(), weights = op.gradient(nn::Role::kernel);
  const Layout arena = lowering.parameter_layout(weights);
  const Pass pass{.name = "backward weights",
                  .arguments = {{DNNL_ARG_SRC, x},
                                {DNNL_ARG_DIFF_DST, dy},
                                {DNNL_ARG_DIFF_WEIGHTS, weights},
                                {DNNL_ARG_DIFF_BIAS, op.gradient(nn::Role::bias)}},
                  .shape = shape_of(lowering, op, lowering.shape(x), lowering.shape(dy), arena),
                  .weights = arena,
                  .conversions = [&](const Way& way) {
                    const Layout source = way.at(DNNL_ARG_SRC);
                    Images all{{lowering.layout(lowering.slot_of(dy)), way.at(DNNL_ARG_DIFF_DST)},
                               {way.at(DNNL_ARG_DIFF_WEIGHTS), pass.weights}};
                    if (!lowering.has_layout(x, source)) {
                      all.emplace_back(lowering.layout(lowering.slot_of(x)), source);
                    }
                    return all;
                  }};
  append(lowering, op, pass, backward_images(lowering.forward(op)),
         [&lowering](const Convolution& c) {
           return onednn::convolution_backward_weights(lowering.engine(), c);
         });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Conv2D&) {
  switch (op.pass) {
    case nn::Pass::forward: return forward(lowering, op);
    case nn::Pass::backward_data: return backward_data(lowering, op);
    case nn::Pass::backward_parameters: return backward_weights(lowering, op);
    case nn::Pass::gradient_sum: break;  // no pass of a layer
  }
}

}  // namespace millrace::cpu
