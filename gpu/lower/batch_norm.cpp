// Batch norm, over valid rows only. Its parameters and statistics are float32.

#include <millrace/gpu/kernels/batch_norm.h>
#include <millrace/gpu/lower/lowering.h>

#include <utility>

namespace millrace::gpu {
namespace {

NormConstants constants_of(const Lowering& lowering, const nn::Op& op, const Layout& image) {
  const auto& layer = *lowering.graph().kind<nn::BatchNorm>(op);
  return {.momentum = layer.momentum,
          .epsilon = layer.epsilon,
          .biased_variance = layer.biased_variance,
          .pixels = image.pixels};
}

struct Statistics {
  SlotId mean = kNoSlot, variance = kNoSlot;
};

/// Of the batch; also moves the running ones.
Statistics append_statistics(Lowering& lowering, const nn::Op& op, SlotId x, const Layout& size) {
  const NormConstants constants = constants_of(lowering, op, size);
  const SlotId running_mean = lowering.master(op.parameter(nn::Role::running_mean));
  const SlotId running_variance = lowering.master(op.parameter(nn::Role::running_variance));
  const Statistics made{lowering.make_floats(op.saved(nn::BatchNorm::kMean), size.stored),
                        lowering.make_floats(op.saved(nn::BatchNorm::kVariance), size.stored)};
  const SlotId partials = lowering.temporary_floats(sum_parts(size.plane().rows) * size.stored);
  lowering.append(lowering.step_name(op, "sums"), [=](const Addresses& at) {
    return norm_sums(size.type, at(x), at.as<float>(partials), size.plane(), constants,
                     at.arenas().scalars);
  });
  lowering.append(lowering.step_name(op, "mean"), [=](const Addresses& at) {
    return norm_mean(at.as<float>(partials), at.as<float>(made.mean), size.plane(), constants,
                     at.arenas().scalars);
  });
  lowering.append(lowering.step_name(op, "squares"), [=](const Addresses& at) {
    return norm_squares(size.type, at(x), at.as<float>(made.mean), at.as<float>(partials),
                        size.plane(), constants, at.arenas().scalars);
  });
  lowering.append(lowering.step_name(op, "variance"), [=](const Addresses& at) {
    return norm_variance(at.as<float>(partials), at.as<float>(made.mean),
                         at.as<float>(made.variance), at.as<float>(running_mean),
                         at.as<float>(running_variance), size.plane(), constants,
                         at.arenas().scalars);
  });
  return made;
}

void forward(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId relu = lowering.fuse_relu(op.y());
  const nn::ValueId target = relu >= 0 ? relu : op.y();
  const Layout size = lowering.layout(op.x());
  const NormConstants constants = constants_of(lowering, op, size);
  const SlotId x = lowering.slot_of(op.x());
  const bool uses_batch = op.saved(nn::BatchNorm::kMean) >= 0;
  const Statistics statistics =
      uses_batch ? append_statistics(lowering, op, x, size)
                 : Statistics{lowering.master(op.parameter(nn::Role::running_mean)),
                              lowering.master(op.parameter(nn::Role::running_variance))};
  const SlotId gamma = lowering.master(op.parameter(nn::Role::gamma));
  const SlotId beta = lowering.master(op.parameter(nn::Role::beta));
  const SlotId y = lowering.make(target);
  lowering.append(lowering.step_name(op, relu >= 0 ? "+ relu" : ""), [=](const Addresses& at) {
    return norm_apply(size.type, at(x), at.as<float>(statistics.mean),
                      at.as<float>(statistics.variance), at.as<float>(gamma), at.as<float>(beta),
                      at(y), size.plane(), constants, relu >= 0);
  });
}

void frozen_backward(Lowering& lowering, const nn::Op& op) {
  const Layout size = lowering.layout(op.dy());
  const NormConstants constants = constants_of(lowering, op, size);
  const SlotId dy = lowering.slot_of(op.dy());
  const SlotId gamma = lowering.master(op.parameter(nn::Role::gamma));
  const SlotId variance = lowering.master(op.parameter(nn::Role::running_variance));
  const SlotId dx = lowering.make(op.dx());
  lowering.append(op, [=](const Addresses& at) {
    return frozen_norm_backward(size.type, at(dy), at.as<float>(gamma), at.as<float>(variance),
                                at(dx), size.plane(), constants);
  });
}

void backward(Lowering& lowering, const nn::Op& op) {
  const Layout size = lowering.layout(op.dy());
  const NormConstants constants = constants_of(lowering, op, size);
  const SlotId dy = lowering.slot_of(op.dy());
  const SlotId x = lowering.slot_of(op.x());
  const SlotId gamma = lowering.master(op.parameter(nn::Role::gamma));
  const Statistics used{lowering.slot_of(op.saved(nn::BatchNorm::kMean)),
                        lowering.slot_of(op.saved(nn::BatchNorm::kVariance))};
  const SlotId dgamma = lowering.gradient(op.gradient(nn::Role::gamma));
  const SlotId dbeta = lowering.gradient(op.gradient(nn::Role::beta));
  const SlotId partials = lowering.temporary_floats(2 * sum_parts(size.plane().rows) * size.stored);
  const SlotId sums = lowering.temporary_floats(2 * size.stored);
  lowering.append(lowering.step_name(op, "sums"), [=](const Addresses& at) {
    return norm_backward_sums(size.type, at(dy), at(x), at.as<float>(used.mean),
                              at.as<float>(used.variance), at.as<float>(partials), size.plane(),
                              constants, at.arenas().scalars);
  });
  lowering.append(lowering.step_name(op, "totals"), [=](const Addresses& at) {
    return norm_backward_totals(size.type, at.as<float>(partials), at.as<float>(sums), at(dgamma),
                                at(dbeta), size.plane());
  });
  if (op.dx() < 0) return;
  const SlotId dx = lowering.make(op.dx());
  lowering.append(op, [=](const Addresses& at) {
    return norm_backward(size.type, at(dy), at(x), at.as<float>(used.mean),
                         at.as<float>(used.variance), at.as<float>(gamma), at.as<float>(sums),
                         at(dx), size.plane(), constants, at.arenas().scalars);
  });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::BatchNorm&) {
  if (op.pass == nn::Pass::forward) return forward(lowering, op);
  op.gradient(nn::Role::gamma) >= 0 ? backward(lowering, op) : frozen_backward(lowering, op);
}

}  // namespace millrace::gpu
