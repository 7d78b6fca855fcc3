#include <millrace/cpu/lowering.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace millrace::cpu {
namespace {

constexpr std::size_t index(nn::ValueId id) {
  return static_cast<std::size_t>(id);
}

}  // namespace

Lowering::Lowering(const nn::Graph& graph, const Options& options, ParameterLayouts& parameters,
                   const dnnl::engine& engine)
    : graph_(graph),
      options_(options),
      parameters_(parameters),
      engine_(engine),
      slots_(graph.values.size(), kNoSlot),
      last_use_(graph.values.size(), 0),
      uses_(graph.values.size(), 0),
      left_out_(graph.ops.size(), false),
      forward_(graph.model.layers.size()) {
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    for (const nn::ValueId id : graph.ops[i].inputs) {
      last_use_[index(id)] = i;
      ++uses_[index(id)];
    }
  }
  lowered_.batch = graph.batch;
  find_pooled_relus();
}

void Lowering::find_pooled_relus() {
  const auto& ops = graph_.ops;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (ops[i].kind != nn::OpKind::max_pool || ops[i].pass == nn::Pass::forward) continue;
    const nn::ValueId dx = ops[i].outputs[0];
    const auto pooling = std::ranges::find_if(ops, [&](const nn::Op& op) {
      return op.layer == ops[i].layer && op.pass == nn::Pass::forward;
    });
    const auto relu = std::ranges::find_if(ops, [&](const nn::Op& op) {
      return op.kind == nn::OpKind::relu && op.pass != nn::Pass::forward && op.inputs[0] == dx &&
             op.inputs[1] == pooling->inputs[0];
    });
    if (relu == ops.end() || uses_[index(dx)] != 1) continue;
    const nn::ValueId pooled = pooling->outputs[0];
    pooled_relus_[i] = {&*relu, pooled};
    last_use_[index(pooled)] = std::max(last_use_[index(pooled)], i);
  }
}

Lowering::PooledRelu Lowering::relu_before(const nn::Op& pooling) const {
  const auto it = pooled_relus_.find(static_cast<std::size_t>(&pooling - graph_.ops.data()));
  return it == pooled_relus_.end() ? PooledRelu() : it->second;
}

void Lowering::leave_out(const nn::Op& op) {
  left_out_[static_cast<std::size_t>(&op - graph_.ops.data())] = true;
}

Lowered Lowering::run() && {
  const bool training = is_training();
  slots_[index(graph_.input)] =
      add({.layout = plain_layout(value(graph_.input).shape), .place = Place::input});
  lowered_.input = slot_of(graph_.input);
  for (op_ = 0; op_ < graph_.ops.size(); ++op_) {
    const nn::Op& op = graph_.ops[op_];
    if (op.kind == nn::OpKind::loss && !training) begin(Part::loss);
    if (!left_out_[op_]) lower(op);
    if (op.kind == nn::OpKind::loss && !training) begin(Part::output);
  }
  if (!training) {
    lowered_.output = in_layout(graph_.output, plain_layout(value(graph_.output).shape));
  }
  return std::move(lowered_);
}

void Lowering::lower(const nn::Op& op) {
  switch (op.kind) {
    case nn::OpKind::dense: return lower_dense(*this, op);
    case nn::OpKind::conv2d: return lower_convolution(*this, op);
    case nn::OpKind::max_pool:
    case nn::OpKind::avg_pool:
    case nn::OpKind::global_avg_pool: return lower_pooling(*this, op);
    case nn::OpKind::flatten:  // a change of name: who wants the values in a row converts them
      return place(op.outputs[0], slot_of(op.inputs[0]));
    case nn::OpKind::relu:
    case nn::OpKind::sigmoid: return lower_eltwise(*this, op);
    case nn::OpKind::softmax: return lower_softmax(*this, op);
    case nn::OpKind::dropout: return lower_dropout(*this, op);
    case nn::OpKind::batch_norm: return lower_batch_norm(*this, op);
    case nn::OpKind::loss: return lower_loss(*this, op);
  }
}

// A conversion made in a part that does not always run must not serve another one.
void Lowering::begin(Part part) {
  part_ = part;
  conversions_.clear();
}

bool Lowering::is_training() const {
  return std::any_of(graph_.values.begin(), graph_.values.end(),
                     [](const nn::Value& v) { return v.role == nn::ValueRole::gradient; });
}

onednn::Purpose Lowering::purpose() const {
  return is_training() ? onednn::Purpose::training : onednn::Purpose::inference;
}

const nn::Value& Lowering::value(nn::ValueId id) const {
  return graph_.values[index(id)];
}

const nn::Layer& Lowering::layer(const nn::Op& op) const {
  return graph_.model.layers[static_cast<std::size_t>(op.layer)];
}

Lowering::Forward& Lowering::forward(const nn::Op& op) {
  return forward_[static_cast<std::size_t>(op.layer)];
}

std::string Lowering::step_name(const nn::Op& op, std::string_view detail) const {
  const std::string_view of = op.layer < 0 ? "loss" : std::string_view(layer(op).name);
  const char* const pass = op.pass == nn::Pass::forward         ? "forward"
                           : op.pass == nn::Pass::backward_data ? "backward data"
                                                                : "backward parameters";
  return detail.empty() ? concat(of, " ", pass) : concat(of, " ", pass, " ", detail);
}

SlotId Lowering::slot_of(nn::ValueId id) const {
  const SlotId slot = slots_[index(id)];
  MILLRACE_CHECK(slot != kNoSlot, "the value '", value(id).name, "' is used before it is made");
  return slot;
}

SlotId Lowering::add(Slot slot) {
  if (slot.root == kNoSlot) slot.root = lowered_.slots.size();
  lowered_.slots.push_back(std::move(slot));
  return lowered_.slots.size() - 1;
}

SlotId Lowering::in_layout(nn::ValueId id, const Layout& wanted) {
  return convert(slot_of(id), wanted);
}

bool Lowering::has_layout(nn::ValueId id, const Layout& wanted) const {
  const SlotId slot = slot_of(id);
  return same_memory(layout(slot), wanted) ||
         std::ranges::any_of(conversions_, [&](const Conversion& made) {
           return made.from == slot && layout(made.to) == wanted;
         });
}

SlotId Lowering::view(SlotId slot, const Layout& layout) {
  Slot other = lowered_.slots[slot];
  other.layout = layout;
  return add(std::move(other));
}

SlotId Lowering::convert(SlotId slot, const Layout& wanted) {
  const Layout have = layout(slot);
  if (have == wanted) return slot;
  for (const auto& [from, to] : conversions_) {
    if (from == slot && layout(to) == wanted) return to;
  }
  SlotId result = kNoSlot;
  if (same_memory(have, wanted)) {
    result = view(slot, wanted);
  } else if (have.dims() == wanted.dims()) {
    result = temporary(wanted);
    append_reorder(slot, result);
  } else {  // [N][H][W][C] and [N][F]: they meet in the logical order
    const SlotId plain = convert(slot, plain_layout(have));
    return convert(view(plain, plain_layout(wanted)), wanted);
  }
  conversions_.push_back({slot, result});
  return result;
}

void Lowering::append_reorder(SlotId from, SlotId to) {
  const nn::Op& op = graph_.ops[std::min(op_, graph_.ops.size() - 1)];
  const auto kernel = onednn::reorder(engine_, layout(from), layout(to));
  if (!kernel) throw Error(concat("cpu: ", step_name(op), ": oneDNN cannot convert a layout"));
  append(step_name(op, "reorder"), *kernel, {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

Layout Lowering::parameter_layout(nn::ValueId id) const {
  return parameters_.layout(value(id).parameter);
}

SlotId Lowering::parameter(nn::ValueId id, const Layout& wanted) {
  const int parameter = value(id).parameter;
  SlotId& slot = slots_[index(id)];
  if (slot == kNoSlot) {
    const Layout& own = parameters_.choose(parameter, wanted);
    slot = add({.layout = own, .place = Place::parameters, .parameter = parameter});
  }
  return convert(slot, wanted);
}

SlotId Lowering::gradient(nn::ValueId id, const Layout& written) {
  const int parameter = value(id).parameter;
  const Layout own = parameters_.layout(parameter);
  const SlotId slot = add({.layout = own, .place = Place::gradients, .parameter = parameter});
  place(id, slot);
  return own == written ? slot : temporary(written);
}

void Lowering::store_gradient(nn::ValueId id, SlotId written) {
  if (written != slot_of(id)) append_reorder(written, slot_of(id));
}

void Lowering::append_parameter_gradients(const nn::Op& op, const onednn::Kernel& kernel,
                                          SlotId source, SlotId destination, bool has_bias) {
  const SlotId weights = gradient(op.outputs[0], kernel.at(DNNL_ARG_DIFF_WEIGHTS));
  std::vector<Use> uses{
      {DNNL_ARG_SRC, source}, {DNNL_ARG_DIFF_DST, destination}, {DNNL_ARG_DIFF_WEIGHTS, weights}};
  if (has_bias) {
    const Layout layout = kernel.at(DNNL_ARG_DIFF_BIAS);
    uses.push_back({DNNL_ARG_DIFF_BIAS, gradient(op.outputs[1], layout)});
  }
  append(step_name(op), kernel, std::move(uses));
  store_gradient(op.outputs[0], weights);
}

SlotId Lowering::make(nn::ValueId id, const Layout& layout) {
  const SlotId slot = temporary(layout);
  if (id >= 0) place(id, slot);
  return slot;
}

SlotId Lowering::temporary(const Layout& layout) {
  return add({.layout = layout});
}

void Lowering::place(nn::ValueId id, SlotId slot) {
  slots_[index(id)] = slot;
}

bool Lowering::may_overwrite(SlotId slot) const {
  const SlotId root = lowered_.slots[slot].root;
  if (lowered_.slots[slot].place != Place::activations) return false;
  for (std::size_t id = 0; id < slots_.size(); ++id) {
    const bool is_here = slots_[id] != kNoSlot && lowered_.slots[slots_[id]].root == root;
    if (is_here && last_use_[id] > op_) return false;
  }
  // A copy in another layout may be asked for again.
  return std::none_of(conversions_.begin(), conversions_.end(), [&](const Conversion& made) {
    return lowered_.slots[made.to].root == root && lowered_.slots[made.from].root != root;
  });
}

SlotId Lowering::make_in_place(nn::ValueId id, SlotId over) {
  if (!may_overwrite(over)) return make(id, layout(over));
  const SlotId slot = view(over, layout(over));
  if (id >= 0) place(id, slot);
  return slot;
}

nn::ValueId Lowering::fuse_relu(nn::ValueId id) {
  if (uses_[index(id)] != 1) return -1;
  for (std::size_t i = op_ + 1; i < graph_.ops.size(); ++i) {
    const nn::Op& op = graph_.ops[i];
    if (op.kind != nn::OpKind::relu || op.pass != nn::Pass::forward || op.inputs[0] != id) continue;
    left_out_[i] = true;
    return op.outputs[0];
  }
  return -1;
}

void Lowering::append(std::string name, const onednn::Kernel& kernel, std::vector<Use> uses) {
  lowered_.steps.push_back({.name = std::move(name),
                            .implementation = kernel.implementation(),
                            .uses = std::move(uses),
                            .part = part_,
                            .is_main_work = kernel.is_main_work(),
                            .primitive = kernel.create(),
                            .loop = {},
                            .scratch = kernel.at(DNNL_ARG_SCRATCHPAD)});
}

void Lowering::append(std::string name, std::string implementation, const std::vector<SlotId>& uses,
                      Loop loop) {
  Step step{.name = name,
            .implementation = "millrace:" + std::move(implementation),
            .uses = {},
            .part = part_,
            .is_main_work = false,
            .primitive = {},
            .loop = std::move(loop),
            .scratch = {}};
  for (const SlotId slot : uses) step.uses.push_back({.argument = 0, .slot = slot});
  lowered_.steps.push_back(std::move(step));
}

onednn::Kernel Lowering::choose(const nn::Op& op,
                                const std::vector<onednn::Found>& candidates) const {
  onednn::Found reference;
  for (const onednn::Found& kernel : candidates) {
    if (!kernel) continue;
    if (!kernel->is_reference()) return *kernel;
    if (!reference) reference = kernel;
  }
  if (reference) return *reference;
  throw Error(concat("cpu: oneDNN ", onednn::version(), " cannot do '", step_name(op), "'"));
}

onednn::Kernel Lowering::choose(const nn::Op& op, const std::string& description,
                                std::vector<Way> ways) const {
  const bool has_code =
      std::ranges::any_of(ways, [](const Way& w) { return !w.kernel.is_reference(); });
  if (has_code) std::erase_if(ways, [](const Way& way) { return way.kernel.is_reference(); });
  if (ways.empty()) return choose(op, {});
  const auto fits = [this](const Way& way) {
    return scratch_of(way.kernel) <= options_.most_scratch;
  };
  if (std::ranges::any_of(ways, fits)) std::erase_if(ways, std::not_fn(fits));
  if (options_.tuner == nullptr) return ways.front().kernel;
  return ways[options_.tuner->fastest(engine_, description, ways, options_.may_time)].kernel;
}

}  // namespace millrace::cpu
