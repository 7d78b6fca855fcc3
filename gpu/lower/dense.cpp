// Dense layers: three products, with bias, ReLU and their gradients in the epilogues if the library
// has them, else in kernels. An epilogue saves a pass over the memory of the result, which for
// small layers costs as much as the product.

#include <millrace/gpu/lower/lowering.h>

#include <millrace/core/buffer.h>

#include <utility>

namespace millrace::gpu {
namespace {

/// Y [N][units] = X [N][features] W^T, W stored [units][features].
Matmul forward_product(const Lowering& lowering, const Layout& x, const Layout& y) {
  return {.precision = lowering.options().precision,
          .float_output = y.type == Type::f32,
          .m = x.samples,
          .n = y.stored,
          .k = x.stored,
          .transpose_b = true,
          .lda = x.stored,
          .ldb = x.stored,
          .ldd = y.stored};
}

/// dX [N][features] = dY [N][units] W.
Matmul data_product(const Lowering& lowering, const Layout& dy, const Layout& dx) {
  return {.precision = lowering.options().precision,
          .m = dy.samples,
          .n = dx.stored,
          .k = dy.stored,
          .lda = dy.stored,
          .ldb = dx.stored,
          .ldd = dx.stored};
}

/// dW [units][features] = dY^T X.
Matmul weight_product(const Lowering& lowering, const Layout& x, const Layout& dy) {
  return {.precision = lowering.options().precision,
          .m = dy.stored,
          .n = x.stored,
          .k = x.samples,
          .transpose_a = true,
          .lda = dy.stored,
          .ldb = x.stored,
          .ldd = x.stored};
}

Matmul with(Matmul product, Epilogue epilogue, std::int64_t aux_bits = 0) {
  product.epilogue = epilogue;
  product.ld_aux = aux_bits;
  return product;
}

std::int64_t aux_bits(const Layout& y) {
  // cuBLASLt takes rows of signs in multiples of 128 bits.
  return static_cast<std::int64_t>(round_up(static_cast<std::uint64_t>(y.stored), 128));
}

struct Memory {
  SlotId a = kNoSlot, b = kNoSlot, d = kNoSlot, bias = kNoSlot, aux = kNoSlot;
};

Bind call(const MatmulPlan& plan, const Memory& memory) {
  return [&plan, memory](const Addresses& at) {
    return MatmulCall{&plan,
                      {.a = at(memory.a),
                       .b = at(memory.b),
                       .d = at(memory.d),
                       .bias = at(memory.bias),
                       .aux = at(memory.aux),
                       .workspace = at.arenas().workspace}};
  };
}

/// The backward product that would read the signs of a ReLU's output: that of the dense layer
/// after it, if the ReLU alone reads its result, so that it need not be written without the mask.
/// Null if there is none.
const nn::Op* reader_of_signs(const Lowering& lowering, nn::ValueId y) {
  for (const nn::Op& op : lowering.graph().ops) {
    const bool is_relu = lowering.graph().kind<nn::Relu>(op) != nullptr;
    if (!is_relu || op.pass == nn::Pass::forward || op.at(nn::operand::y) != y) continue;
    const nn::Op* maker = lowering.uses().maker(op.dy());
    const bool is_dense_data = lowering.graph().kind<nn::Dense>(*maker) != nullptr &&
                               maker->pass == nn::Pass::backward_data;
    return is_dense_data && lowering.uses().only_reader(op.dy()) != nullptr ? maker : nullptr;
  }
  return nullptr;
}

/// The product whose epilogue is drelu_bgrad, where there is one.
const MatmulPlan* data_plan_with_signs(Lowering& lowering, const nn::Op& data, std::int64_t bits) {
  const Matmul product =
      data_product(lowering, lowering.layout(data.dy()), lowering.layout(data.dx()));
  return lowering.find(with(product, Epilogue::drelu_bgrad, bits));
}

/// Forward with a ReLU whose signs are kept for the backward pass: a bit a value, and the next
/// layer's backward product does the ReLU's and the bias's as well. False if that is not possible,
/// as both plans must exist, or of no use.
bool forward_with_signs(Lowering& lowering, const nn::Op& op, nn::ValueId relu) {
  const nn::Op* data = reader_of_signs(lowering, relu);
  if (data == nullptr) return false;
  const auto x = op.x();
  const Layout to = lowering.layout(relu);
  const std::int64_t bits = aux_bits(to);
  const MatmulPlan* plan = lowering.find(
      with(forward_product(lowering, lowering.layout(x), to), Epilogue::relu_aux_bias, bits));
  if (plan == nullptr || data_plan_with_signs(lowering, *data, bits) == nullptr) return false;
  const SlotId signs = lowering.temporary(to.samples * bits / 8);
  lowering.append(lowering.step_name(op, "+ relu"),
                  call(*plan, {.a = lowering.slot_of(x),
                               .b = lowering.working(op.parameter(nn::Role::kernel)),
                               .d = lowering.make(relu),
                               .bias = lowering.working(op.parameter(nn::Role::bias)),
                               .aux = signs}));
  lowering.keep_signs(relu, signs, bits);
  return true;
}

void forward(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId relu = lowering.fuse_relu(op.y());
  const bool has_bias = op.parameter(nn::Role::bias) >= 0;
  if (relu >= 0 && has_bias && forward_with_signs(lowering, op, relu)) return;

  const nn::ValueId target = relu >= 0 ? relu : op.y();
  const Layout to = lowering.layout(target);
  const Matmul product = forward_product(lowering, lowering.layout(op.x()), to);
  Memory memory{.a = lowering.slot_of(op.x()),
                .b = lowering.working(op.parameter(nn::Role::kernel)),
                .d = lowering.make(target)};
  const SlotId bias = has_bias ? lowering.working(op.parameter(nn::Role::bias)) : kNoSlot;
  const MatmulPlan* fused =
      has_bias ? lowering.find(with(product, relu >= 0 ? Epilogue::relu_bias : Epilogue::bias))
               : nullptr;
  if (fused != nullptr) {
    memory.bias = bias;
    return lowering.append(lowering.step_name(op, relu >= 0 ? "+ relu" : ""), call(*fused, memory));
  }
  lowering.append(op, call(lowering.require(op, product), memory));
  lowering.append_bias_and_relu(op, memory.d, bias, to, relu >= 0);
}

void backward_data(Lowering& lowering, const nn::Op& op) {
  const auto [dy, dx] = std::pair(op.dy(), op.dx());
  const nn::Op* reader = lowering.uses().only_reader(dx);
  Memory memory{.a = lowering.slot_of(dy), .b = lowering.working(op.parameter(nn::Role::kernel))};
  const bool feeds_relu = reader != nullptr && lowering.graph().kind<nn::Relu>(*reader) != nullptr;
  const auto signs = feeds_relu ? lowering.signs_of(reader->at(nn::operand::y)) : Lowering::Signs{};
  if (signs.slot == kNoSlot) {
    const Matmul product = data_product(lowering, lowering.layout(dy), lowering.layout(dx));
    memory.d = lowering.make(dx);
    return lowering.append(op, call(lowering.require(op, product), memory));
  }
  // Also the ReLU's backward operation, and the bias gradient of the dense layer before it.
  const nn::ValueId before = reader->dx();
  const nn::ValueId db = lowering.bias_gradient_of(before);
  const Layout to = lowering.layout(before);
  lowering.leave_out(*reader);
  memory.d = lowering.make(before);
  memory.aux = signs.slot;
  memory.bias = db >= 0
                    ? lowering.gradient(db)
                    : lowering.temporary(to.stored * static_cast<std::int64_t>(size_of(to.type)));
  if (db >= 0) lowering.mark_made(db);
  lowering.append(lowering.step_name(op, "+ relu"),
                  call(*data_plan_with_signs(lowering, op, signs.bits), memory));
}

void backward_parameters(Lowering& lowering, const nn::Op& op) {
  const auto [x, dy] = std::pair(op.x(), op.dy());
  const Layout from = lowering.layout(dy);
  const Matmul product = weight_product(lowering, lowering.layout(x), from);
  Memory memory{.a = lowering.slot_of(dy),
                .b = lowering.slot_of(x),
                .d = lowering.gradient(op.gradient(nn::Role::kernel))};
  const nn::ValueId db = op.gradient(nn::Role::bias);
  const bool needs_bias = db >= 0 && !lowering.is_made(db);
  if (!needs_bias) return lowering.append(op, call(lowering.require(op, product), memory));
  if (const MatmulPlan* fused = lowering.find(with(product, Epilogue::bgrad_a))) {
    memory.bias = lowering.gradient(db);
    return lowering.append(op, call(*fused, memory));
  }
  lowering.append(op, call(lowering.require(op, product), memory));
  lowering.append_column_sums(op, memory.a, kNoSlot, kNoSlot, from, db);
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Dense&) {
  switch (op.pass) {
    case nn::Pass::forward: return forward(lowering, op);
    case nn::Pass::backward_data: return backward_data(lowering, op);
    case nn::Pass::backward_parameters: return backward_parameters(lowering, op);
    case nn::Pass::gradient_sum: break;  // no pass of a layer
  }
}

}  // namespace millrace::gpu
