// Batch normalisation: statistics of the batch in training, running ones otherwise and when frozen.

#include <millrace/cpu/kernels/loops.h>
#include <millrace/cpu/lower/lowering.h>

#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Found;
using onednn::Kernel;
using onednn::Tag;

std::vector<Layout> layouts(const Lowering& lowering, nn::ValueId x) {
  const onednn::Dims dims = image_dims(lowering.shape(x));
  std::vector<Layout> result;
  const Layout here = lowering.layout(lowering.slot_of(x));
  if (onednn::dims(here) == dims) result.push_back(here);
  for (const Tag tag : {Tag::nhwc, Tag::nChw16c, Tag::nChw8c, Tag::nchw}) {
    result.push_back(onednn::layout(dims, tag));
  }
  return result;
}

Layout channel_layout(const Lowering& lowering, nn::ValueId id) {
  return plain_layout(lowering.shape(id));
}

/// `slots`: mean and variance of the batch, then the running ones.
void append_running(Lowering& lowering, const nn::Op& op, const std::vector<SlotId>& slots) {
  const Shape& shape = lowering.shape(op.x());
  const std::int64_t channels = shape[-1];
  const RunningAverage average{*lowering.graph().kind<nn::BatchNorm>(op), channels,
                               shape.elements() / channels};
  lowering.append(lowering.step_name(op, "running"), "average", slots,
                  [average](std::span<std::byte* const> memory, Run&) {
                    update_running(average, memory[0], memory[1], memory[2], memory[3]);
                  });
}

void forward(Lowering& lowering, const nn::Op& op) {
  const auto& options = *lowering.graph().kind<nn::BatchNorm>(op);
  const bool is_given = op.saved(nn::BatchNorm::kMean) < 0;
  std::vector<Found> found;
  for (const Layout& layout : layouts(lowering, op.x())) {
    found.push_back(
        onednn::batch_norm_forward(lowering.engine(), layout, options.epsilon, is_given));
  }
  const Kernel kernel = lowering.choose(op, found);
  const Layout data = kernel.at(DNNL_ARG_SRC);
  lowering.forward(op) = {data, data};

  const auto parameter = [&](nn::Role role) {
    const nn::ValueId id = op.parameter(role);
    return lowering.parameter(id, channel_layout(lowering, id));
  };
  const SlotId x = lowering.in_layout(op.x(), data);
  std::vector<Use> uses{{DNNL_ARG_SRC, x},
                        {DNNL_ARG_SCALE, parameter(nn::Role::gamma)},
                        {DNNL_ARG_SHIFT, parameter(nn::Role::beta)},
                        {DNNL_ARG_DST, lowering.make(op.y(), data)}};
  const SlotId running_mean = parameter(nn::Role::running_mean);
  const SlotId running_variance = parameter(nn::Role::running_variance);
  if (is_given) {
    uses.insert(uses.end(), {{DNNL_ARG_MEAN, running_mean}, {DNNL_ARG_VARIANCE, running_variance}});
    return lowering.append(lowering.step_name(op), kernel, std::move(uses));
  }
  const SlotId mean = lowering.make(op.saved(nn::BatchNorm::kMean), kernel.at(DNNL_ARG_MEAN));
  const SlotId variance =
      lowering.make(op.saved(nn::BatchNorm::kVariance), kernel.at(DNNL_ARG_VARIANCE));
  uses.insert(uses.end(), {{DNNL_ARG_MEAN, mean}, {DNNL_ARG_VARIANCE, variance}});
  lowering.append(lowering.step_name(op), kernel, std::move(uses));
  append_running(lowering, op, {mean, variance, running_mean, running_variance});
}

void backward(Lowering& lowering, const nn::Op& op) {
  const auto& options = *lowering.graph().kind<nn::BatchNorm>(op);
  std::vector<Found> found{
      onednn::batch_norm_backward(lowering.engine(), lowering.forward(op).source, options.epsilon)};
  for (const Layout& layout : layouts(lowering, op.x())) {
    found.push_back(onednn::batch_norm_backward(lowering.engine(), layout, options.epsilon));
  }
  const Kernel kernel = lowering.choose(op, found);
  const Layout data = kernel.at(DNNL_ARG_SRC);
  const Layout channels = channel_layout(lowering, op.parameter(nn::Role::gamma));
  const SlotId dy = lowering.in_layout(op.dy(), data);
  const SlotId gamma = lowering.parameter(op.parameter(nn::Role::gamma), channels);
  std::vector<Use> uses{
      {DNNL_ARG_DIFF_DST, dy},
      {DNNL_ARG_SRC, lowering.in_layout(op.x(), data)},
      {DNNL_ARG_SCALE, gamma},
      {DNNL_ARG_MEAN, lowering.slot_of(op.saved(nn::BatchNorm::kMean))},
      {DNNL_ARG_VARIANCE, lowering.slot_of(op.saved(nn::BatchNorm::kVariance))},
      {DNNL_ARG_DIFF_SRC, lowering.make(op.dx(), data)},
      {DNNL_ARG_DIFF_SCALE, lowering.gradient(op.gradient(nn::Role::gamma), channels)},
      {DNNL_ARG_DIFF_SHIFT, lowering.gradient(op.gradient(nn::Role::beta), channels)}};
  if (onednn::batch_norm_backward_takes_shift()) uses.push_back({DNNL_ARG_SHIFT, gamma});
  lowering.append(lowering.step_name(op), kernel, std::move(uses));
}

// With given statistics the operation is a factor a channel.
void frozen_backward(Lowering& lowering, const nn::Op& op) {
  const float epsilon = lowering.graph().kind<nn::BatchNorm>(op)->epsilon;
  const Layout data = lowering.forward(op).source;
  const auto blocks = channel_blocks(data);
  MILLRACE_CHECK(blocks, "batch norm runs in a layout of channel blocks");
  const Layout channels = channel_layout(lowering, op.parameter(nn::Role::gamma));
  const SlotId dy = lowering.in_layout(op.dy(), data);
  const SlotId gamma = lowering.parameter(op.parameter(nn::Role::gamma), channels);
  const SlotId variance = lowering.parameter(op.parameter(nn::Role::running_variance), channels);
  const SlotId factors = lowering.temporary(channels);
  const SlotId dx = lowering.make_in_place(op.dx(), dy);
  lowering.append(lowering.step_name(op), "factor", {dy, gamma, variance, factors, dx},
                  [blocks = *blocks, epsilon](std::span<std::byte* const> memory, Run&) {
                    normalisation_factors(blocks.channels, epsilon, memory[1], memory[2],
                                          memory[3]);
                    scale_channels(blocks, memory[0], memory[3], memory[4]);
                  });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::BatchNorm&) {
  if (op.pass == nn::Pass::forward) return forward(lowering, op);
  if (op.gradient(nn::Role::gamma) >= 0) return backward(lowering, op);
  frozen_backward(lowering, op);
}

}  // namespace millrace::cpu
