// Layer normalisation. Its parameters and statistics are float32.

#include <millrace/gpu/kernels/batch_norm.h>
#include <millrace/gpu/kernels/layer_norm.h>
#include <millrace/gpu/lower/lowering.h>

#include <functional>

namespace millrace::gpu {
namespace {

void forward(Lowering& lowering, const nn::Op& op, float epsilon) {
  const Layout size = lowering.layout(op.x());
  const std::int64_t rows = size.plane().rows;
  const auto make_floats = [&](nn::ValueId id) {
    return id >= 0 ? lowering.make_floats(id, rows) : lowering.temporary_floats(rows);
  };
  const SlotId x = lowering.slot_of(op.x());
  const SlotId mean = make_floats(op.saved(nn::LayerNorm::kMean));
  const SlotId inverse = make_floats(op.saved(nn::LayerNorm::kInverse));
  const SlotId gamma = lowering.master(op.parameter(nn::Role::gamma));
  const SlotId beta = lowering.master(op.parameter(nn::Role::beta));
  lowering.append(lowering.step_name(op, "moments"), [=](const Addresses& at) {
    return layer_norm_moments(size.type, at(x), at.as<float>(mean), at.as<float>(inverse),
                              size.plane(), epsilon);
  });
  const SlotId y = lowering.make_in_place(op.y(), op.x());
  lowering.append(op, [=](const Addresses& at) {
    return layer_norm_apply(size.type, at(x), at.as<float>(mean), at.as<float>(inverse),
                            at.as<float>(gamma), at.as<float>(beta), at(y), size.plane());
  });
}

/// What a gradient is made of, as its kernels want it.
using Parts = std::function<LayerNormGradient(const Addresses&)>;

Parts parts_of(Lowering& lowering, const nn::Op& op, std::int64_t pixels) {
  const SlotId dy = lowering.slot_of(op.dy()), x = lowering.slot_of(op.x());
  const SlotId mean = lowering.slot_of(op.saved(nn::LayerNorm::kMean));
  const SlotId inverse = lowering.slot_of(op.saved(nn::LayerNorm::kInverse));
  const SlotId gamma = lowering.master(op.parameter(nn::Role::gamma));
  return [=](const Addresses& at) {
    return LayerNormGradient{.dy = at(dy),
                             .x = at(x),
                             .mean = at.as<float>(mean),
                             .inverse = at.as<float>(inverse),
                             .gamma = at.as<float>(gamma),
                             .scalars = at.arenas().scalars,
                             .pixels = pixels};
  };
}

void append_columns(Lowering& lowering, const nn::Op& op, const Layout& size, const Parts& parts) {
  const SlotId partials = lowering.temporary_floats(2 * sum_parts(size.plane().rows) * size.stored);
  const SlotId totals = lowering.temporary_floats(2 * size.stored);
  const SlotId dgamma = lowering.gradient(op.gradient(nn::Role::gamma));
  const SlotId dbeta = lowering.gradient(op.gradient(nn::Role::beta));
  lowering.append(lowering.step_name(op, "columns"), [=](const Addresses& at) {
    return layer_norm_column_sums(size.type, parts(at), at.as<float>(partials), size.plane());
  });
  lowering.append(lowering.step_name(op, "totals"), [=](const Addresses& at) {
    return norm_backward_totals(size.type, at.as<float>(partials), at.as<float>(totals), at(dgamma),
                                at(dbeta), size.plane());
  });
}

void backward(Lowering& lowering, const nn::Op& op) {
  const Layout size = lowering.layout(op.dy());
  const Parts parts = parts_of(lowering, op, size.pixels);
  if (op.gradient(nn::Role::gamma) >= 0) append_columns(lowering, op, size, parts);
  if (op.dx() < 0) return;
  const SlotId sums = lowering.temporary_floats(2 * size.plane().rows);
  lowering.append(lowering.step_name(op, "rows"), [=](const Addresses& at) {
    return layer_norm_row_sums(size.type, parts(at), at.as<float>(sums), size.plane());
  });
  const SlotId dx = lowering.make_in_place(op.dx(), op.dy());
  lowering.append(op, [=](const Addresses& at) {
    return layer_norm_backward(size.type, parts(at), at.as<float>(sums), at(dx), size.plane());
  });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::LayerNorm& layer) {
  op.pass == nn::Pass::forward ? forward(lowering, op, layer.epsilon) : backward(lowering, op);
}

}  // namespace millrace::gpu
