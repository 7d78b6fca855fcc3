#include <millrace/gpu/lower/lowering.h>

#include <millrace/core/error.h>
#include <millrace/gpu/kernels/activation.h>
#include <millrace/gpu/kernels/column_sums.h>
#include <millrace/gpu/kernels/layout.h>

#include <algorithm>
#include <utility>

namespace millrace::gpu {
namespace {

constexpr std::size_t index(nn::ValueId id) {
  return static_cast<std::size_t>(id);
}

}  // namespace

Lowering::Lowering(const nn::Graph& graph, const Options& options,
                   const ParameterPlaces& parameters, Plans& plans)
    : graph_(graph),
      options_(options),
      parameters_(parameters),
      plans_(plans),
      uses_(graph),
      values_(graph.values.size()),
      left_out_(graph.ops.size(), false) {
  lowered_.batch = graph.batch;
}

Lowered Lowering::run() && {
  const unsigned all = graph_.trains() ? kTrain | kDifferentiate : kLoss | kOutput;
  begin(all);
  values_[index(graph_.input)].slot = add({.place = Place::input});
  LossSlots loss;
  for (op_ = 0; op_ < graph_.ops.size(); ++op_) {
    const nn::Op& op = graph_.ops[op_];
    if (left_out_[op_]) continue;
    if (op.is_loss()) {
      loss = lower_loss(*this, op);
      if (!graph_.trains()) begin(kOutput);
    } else {
      lower(op);
    }
  }
  if (graph_.trains()) {
    if (options_.accumulate > 1) {
      begin(kSum);
      append_group_sum(*this);
      begin(kUpdate);
      append_group_mean(*this);
    }
    begin(kTrain | kUpdate);
    append_update(*this);
    begin(kDifferentiate);
    append_penalty(*this);
  } else {
    const Layout output = layout(graph_.output);
    lowered_.output = as_float(graph_.ops.back(), graph_.output);
    lowered_.output_width = output.channels;
    lowered_.output_stored = output.stored;
    begin(kLoss);
    append_penalty(*this);
  }
  append_loss_totals(*this, loss);
  return std::move(lowered_);
}

void Lowering::lower(const nn::Op& op) {
  if (op.pass == nn::Pass::gradient_sum) return lower_gradient_sum(*this, op);
  const bool is_known = nn::visit_kind(graph_.layer(op).kind,
                                       [&](const auto& layer) { gpu::lower(*this, op, layer); });
  if (!is_known) throw Error(concat("gpu: this engine cannot do '", step_name(op), "'"));
}

nn::ValueId Lowering::fuse_relu(nn::ValueId id) {
  const nn::Op* relu = uses_.relu_of(id);
  if (relu == nullptr) return -1;
  leave_out(*relu);
  return relu->y();
}

SlotId Lowering::add(Slot slot) {
  lowered_.slots.push_back(slot);
  return lowered_.slots.size() - 1;
}

SlotId Lowering::slot_of(nn::ValueId id) const {
  const SlotId slot = values_[index(id)].slot;
  MILLRACE_CHECK(slot != kNoSlot, "the value '", graph_.value(id).name,
                 "' is used before it is made");
  return slot;
}

Layout Lowering::layout(nn::ValueId id) const {
  const Shape& s = graph_.value(id).shape;
  const std::int64_t channels = s[-1];
  // Logits of a dense layer and the model's output are float32 from the start: 16 bits would round
  // what the loss takes the exponential of.
  const nn::Op* made_by = uses_.maker(id);
  const bool is_float =
      (id == graph_.logits && made_by != nullptr && graph_.kind<nn::Dense>(*made_by) != nullptr) ||
      (id == graph_.output && id != graph_.logits);
  return {.samples = s[0],
          .pixels = s.without_front().elements() / channels,
          .channels = channels,
          .stored = padded(channels, options_.precision),
          .type = is_float ? Type::f32 : type()};
}

SlotId Lowering::temporary(std::int64_t bytes) {
  return add({.bytes = bytes});
}

SlotId Lowering::make(nn::ValueId id) {
  return values_[index(id)].slot = temporary(layout(id).bytes());
}

SlotId Lowering::make_floats(nn::ValueId id, std::int64_t count) {
  return values_[index(id)].slot = temporary_floats(count);
}

SlotId Lowering::make_bytes(nn::ValueId id, const Layout& as) {
  return values_[index(id)].slot = temporary(as.elements());
}

void Lowering::make_view(nn::ValueId id, nn::ValueId of) {
  values_[index(id)].slot = slot_of(of);
}

SlotId Lowering::make_in_place(nn::ValueId id, nn::ValueId over) {
  const SlotId slot = slot_of(over);
  const bool fits = layout(id).bytes() == layout(over).bytes();
  if (!fits || !may_overwrite(slot)) return make(id);
  return values_[index(id)].slot = slot;
}

// All names of the memory count: a view may be read after the value that made it.
bool Lowering::may_overwrite(SlotId slot) const {
  if (lowered_.slots[slot].place != Place::activations) return false;
  for (std::size_t id = 0; id < values_.size(); ++id) {
    const bool is_here = values_[id].slot == slot;
    if (is_here && uses_.last_use(static_cast<nn::ValueId>(id)) > op_) return false;
  }
  return true;
}

SlotId Lowering::parameter(nn::ValueId id, Place place, std::int64_t element_bytes) {
  const auto& where = parameters_.place(graph_.value(id).parameter);
  return add({.place = place,
              .bytes = where.count() * element_bytes,
              .offset = where.offset * element_bytes});
}

SlotId Lowering::working(nn::ValueId id) {
  return parameter(id, Place::working, static_cast<std::int64_t>(size_of(type())));
}

SlotId Lowering::master(nn::ValueId id) {
  return parameter(id, Place::masters, 4);
}

SlotId Lowering::gradient(nn::ValueId id) {
  return parameter(id, Place::gradients, static_cast<std::int64_t>(size_of(type())));
}

void Lowering::mark_made(nn::ValueId gradient) {
  values_[index(gradient)].is_made = true;
}

bool Lowering::is_made(nn::ValueId gradient) const {
  return values_[index(gradient)].is_made;
}

nn::ValueId Lowering::bias_gradient_of(nn::ValueId output_gradient) const {
  for (const nn::Op& op : graph_.ops) {
    if (op.pass != nn::Pass::backward_parameters || op.dy() != output_gradient) continue;
    const nn::ValueId db = op.gradient(nn::Role::bias);
    if (db >= 0 && !is_made(db)) return db;
  }
  return -1;
}

void Lowering::keep_signs(nn::ValueId y, SlotId signs, std::int64_t bits) {
  values_[index(y)].signs = {signs, bits};
}

Lowering::Signs Lowering::signs_of(nn::ValueId y) const {
  return values_[index(y)].signs;
}

const ConvolutionPlan* Lowering::find(const Convolution& convolution) {
  return plans_.find(convolution);
}

const MatmulPlan* Lowering::find(const Matmul& matmul) {
  return plans_.find(matmul);
}

const ConvolutionPlan& Lowering::require(const nn::Op& op, const Convolution& convolution) {
  const ConvolutionPlan* plan = find(convolution);
  if (plan != nullptr) return *plan;
  throw Error(concat("gpu: ", step_name(op), ": cuDNN has no deterministic way to do ",
                     to_string(convolution), " within the workspace; allow it more"));
}

const MatmulPlan& Lowering::require(const nn::Op& op, const Matmul& matmul) {
  const MatmulPlan* plan = find(matmul);
  if (plan != nullptr) return *plan;
  throw Error(concat("gpu: ", step_name(op), ": cuBLASLt cannot do ", to_string(matmul)));
}

void Lowering::append(std::string name, Bind bind) {
  lowered_.steps.push_back({.name = std::move(name),
                            .implementation = {},
                            .purposes = purposes_,
                            .bind = std::move(bind)});
}

void Lowering::append_bias_and_relu(const nn::Op& op, SlotId y, SlotId bias, const Layout& to,
                                    bool relu) {
  if (bias == kNoSlot && !relu) return;
  if (bias == kNoSlot) {
    return append(step_name(op, "relu"), [=, type = type()](const Addresses& at) {
      return relu_forward(type, at(y), at(y), to.elements());
    });
  }
  const bool are_logits = to.type != type();  // float32 beside a bias of 16 bits
  append(step_name(op, "bias"), [=, type = type()](const Addresses& at) {
    return are_logits
               ? add_bias_to_float(type, at.as<float>(y), at(bias), at.as<float>(y), to.plane())
               : add_bias(type, at(y), at(bias), at(y), to.plane(), relu);
  });
}

void Lowering::append_column_sums(const nn::Op& op, SlotId dy, SlotId y, SlotId dx,
                                  const Layout& size, nn::ValueId db) {
  const SlotId partials = temporary_floats(sum_parts(size.plane().rows) * size.stored);
  const SlotId to = gradient(db);
  append(step_name(op, "and bias"), [=, type = type()](const Addresses& at) {
    return column_sums(type, at(dy), at(y), at(dx), at.as<float>(partials), size.plane());
  });
  append(step_name(op, "bias"), [=, type = type()](const Addresses& at) {
    return column_totals(type, at.as<float>(partials), at(to), size.plane());
  });
  mark_made(db);
}

SlotId Lowering::as_float(const nn::Op& op, nn::ValueId id) {
  const Layout from = layout(id);
  const SlotId slot = slot_of(id);
  if (from.type == Type::f32) return slot;
  const SlotId result = temporary_floats(from.elements());
  append(step_name(op, "to float32"), [=](const Addresses& at) {
    const Plane all{from.samples * from.pixels, from.stored, from.stored};
    return unpack(from.type, at(slot), at.as<float>(result), all);
  });
  return result;
}

}  // namespace millrace::gpu
