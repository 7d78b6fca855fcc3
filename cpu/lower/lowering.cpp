#include <millrace/cpu/lower/lowering.h>

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
      uses_(graph),
      last_use_(graph.values.size(), 0),
      left_out_(graph.ops.size(), false),
      forward_(graph.model.layers.size()) {
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    for (const nn::Argument& read : graph.ops[i].inputs) {
      std::size_t& last = last_use_[index(read.value)];
      last = std::max(last, is_put_off(graph.ops[i]) ? graph.ops.size() : i);
    }
  }
  lowered_.trains = graph.trains();
  lowered_.batch = graph.batch;
  lowered_.slice = options_.slice;
  lowered_.slices = options_.division.slices;
  find_pooled_relus();
  find_norm_rectifiers();
}

void Lowering::find_pooled_relus() {
  const auto& ops = graph_.ops;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    if (graph_.kind<nn::MaxPool2D>(ops[i]) == nullptr || ops[i].pass == nn::Pass::forward) continue;
    const nn::Op* pooling = &graph_.forward_of(ops[i]);
    const nn::Op* relu = uses_.only_reader(ops[i].dx());
    if (relu == nullptr || graph_.kind<nn::Relu>(*relu) == nullptr ||
        relu->at(nn::operand::y) != pooling->x()) {
      continue;
    }
    pooled_relus_[i] = {relu, pooling->y()};
    last_use_[index(pooling->y())] = std::max(last_use_[index(pooling->y())], i);
  }
}

void Lowering::find_norm_rectifiers() {
  for (std::size_t i = 0; i < graph_.ops.size(); ++i) {
    const nn::Op& op = graph_.ops[i];
    const bool uses_batch = graph_.kind<nn::BatchNorm>(op) != nullptr &&
                            op.pass == nn::Pass::backward_data && op.gradient(nn::Role::gamma) >= 0;
    if (!uses_batch || uses_.only_reader(op.dy()) != &op) continue;
    const auto behind = uses_.as_rectifier(uses_.maker(op.dy()));
    // What a shortcut has been added to has another sign.
    if (behind.op == nullptr || graph_.forward_of(*behind.op).x() != graph_.forward_of(op).y()) {
      continue;
    }
    const bool is_done = std::ranges::any_of(
        pooled_relus_, [&](const auto& pooled) { return pooled.second.op == behind.op; });
    if (is_done) continue;
    norm_rectifiers_[i] = behind;
    leave_out(*behind.op);
    std::size_t& last = last_use_[index(behind.op->dy())];
    last = std::max(last, i);
  }
}

nn::ValueUses::Rectifier Lowering::rectifier_behind_norm(const nn::Op& op) const {
  const auto it = norm_rectifiers_.find(uses_.index_of(op));
  return it == norm_rectifiers_.end() ? nn::ValueUses::Rectifier() : it->second;
}

Lowering::PooledRelu Lowering::relu_before(const nn::Op& pooling) const {
  const auto it = pooled_relus_.find(uses_.index_of(pooling));
  return it == pooled_relus_.end() ? PooledRelu() : it->second;
}

void Lowering::leave_out(const nn::Op& op) {
  left_out_[uses_.index_of(op)] = true;
}

void Lowering::absorb(const nn::Op& op) {
  leave_out(op);
  for (const nn::Argument& read : op.inputs) {
    last_use_[index(read.value)] = last_use(read.value, &op);
  }
}

std::size_t Lowering::last_use(nn::ValueId id, const nn::Op* absorbed) const {
  std::size_t last = last_use_[index(id)];
  if (absorbed == nullptr || last != uses_.index_of(*absorbed)) return last;
  const auto is_same = [id](const nn::Argument& other) { return other.value == id; };
  const std::size_t end = std::exchange(last, op_);
  for (std::size_t i = op_ + 1; i < end; ++i) {
    if (!left_out_[i] && std::ranges::any_of(graph_.ops[i].inputs, is_same)) last = i;
  }
  return last;
}

Lowered Lowering::run() && {
  const bool training = graph_.trains();
  slots_[index(graph_.input)] =
      add({.layout = plain_layout(shape(graph_.input)), .place = Place::input});
  lowered_.input = slot_of(graph_.input);
  for (op_ = 0; op_ < graph_.ops.size(); ++op_) {
    const nn::Op& op = graph_.ops[op_];
    if (op.is_loss() && !training) begin(Wanted::loss);
    if (!left_out_[op_] && !is_put_off(op)) lower(op);
    if (op.is_loss() && !training) begin(Wanted::output);
  }
  for (op_ = 0; op_ < graph_.ops.size(); ++op_) {
    if (is_put_off(graph_.ops[op_])) lower(graph_.ops[op_]);
  }
  if (!training) {
    lowered_.output = in_layout(graph_.output, plain_layout(shape(graph_.output)));
  }
  // Several threads on each operation have too little to do in a round.
  if (options_.threads == 1) compute_in_rounds(lowered_);
  return std::move(lowered_);
}

void Lowering::lower(const nn::Op& op) {
  if (op.is_loss()) return lower_loss(*this, op);
  if (op.pass == nn::Pass::gradient_sum) return lower_gradient_sum(*this, op);
  const bool is_known = nn::visit_kind(graph_.layer(op).kind,
                                       [&](const auto& layer) { cpu::lower(*this, op, layer); });
  if (!is_known) lower_foreign(*this, op);
}

// A change of name: who wants the values in a row converts them.
void lower(Lowering& lowering, const nn::Op& op, const nn::Flatten&) {
  lowering.rename(op.source(), op.result());
}

bool Lowering::is_by_outputs(const nn::Op& op) const {
  return graph_.kind<nn::Dense>(op) != nullptr && op.pass != nn::Pass::backward_data &&
         graph_.trains() && options_.division.is_by_outputs(op.layer);
}

bool Lowering::is_put_off(const nn::Op& op) const {
  return is_by_outputs(op) && op.pass == nn::Pass::backward_parameters;
}

// A conversion made by steps that do not always run must not serve another one.
void Lowering::begin(Wanted wanted) {
  wanted_ = wanted;
  conversions_.clear();
}

onednn::Purpose Lowering::purpose() const {
  return graph_.trains() ? onednn::Purpose::training : onednn::Purpose::inference;
}

Lowering::Forward& Lowering::forward(const nn::Op& op) {
  return forward_[static_cast<std::size_t>(op.layer)];
}

Lowering::Sum Lowering::sum_behind(nn::ValueId id) const {
  const nn::Op* sum = uses_.only_reader(id);
  if (sum == nullptr || graph_.kind<nn::Add>(*sum) == nullptr || sum->x(2) >= 0) return {};
  const nn::ValueId other = sum->x(0) == id ? sum->x(1) : sum->x(0);
  return other != id && is_made(other) ? Sum{sum, other} : Sum{};
}

Lowering::Made Lowering::fuse(nn::ValueId id, const Sum& sum) {
  Made made{.value = id};
  if (sum.op != nullptr) {
    absorb(*sum.op);
    made.value = sum.op->y();
    made.added = sum.other;
  }
  const auto rectifier = uses_.rectifier_of(made.value);
  if (rectifier.op == nullptr) return made;
  leave_out(*rectifier.op);
  made.value = rectifier.op->y();
  made.ceiling = rectifier.ceiling;
  return made;
}

std::string Lowering::Made::detail() const {
  const bool adds = added >= 0, rectifies = ceiling != kNoRectifier;
  return concat(adds ? "+ add" : "", adds && rectifies ? " " : "", rectifies ? "+ relu" : "");
}

void Lowering::begin_section() {
  begins_section_ = true;
  section_has_others_ = false;
}

void Lowering::append(Step step) {
  if (is_preparing_) {
    if (options_.slice == 0) lowered_.preparation.push_back(std::move(step));
    return;
  }
  step.wanted = wanted_;
  step.begins_section = std::exchange(begins_section_, false);
  if (op_ >= graph_.ops.size() || !is_put_off(graph_.ops[op_])) section_has_others_ = true;
  lowered_.steps.push_back(std::move(step));
}

void Lowering::append(std::string name, const Way& way, std::vector<Use> uses) {
  const auto* kernel = std::get_if<onednn::Kernel>(&way.kernel);
  append(Step{.name = std::move(name),
              .implementation = way.implementation(),
              .uses = std::move(uses),
              .is_main_work = kernel == nullptr || kernel->is_main_work(),
              .primitive = kernel != nullptr ? kernel->create() : dnnl::primitive(),
              .loop = kernel != nullptr ? Loop() : std::get<OwnKernel>(way.kernel).loop,
              .scratch = way.at(DNNL_ARG_SCRATCHPAD)});
}

void Lowering::append(const nn::Op& op, const Way& way, const std::vector<Argument>& arguments,
                      const KernelForRows& for_rows, std::string_view detail) {
  std::vector<Use> uses;
  std::vector<std::pair<nn::ValueId, SlotId>> gradients;
  for (const auto& [argument, id, given] : arguments) {
    if (given != kNoSlot) uses.push_back({argument, given});
    if (id < 0 || given != kNoSlot) continue;
    const Layout wanted = way.at(argument);
    SlotId slot = kNoSlot;
    switch (graph_.value(id).role) {
      case nn::ValueRole::parameter: slot = parameter(id, wanted); break;
      case nn::ValueRole::parameter_gradient:
        slot = gradients.emplace_back(id, gradient(id, wanted)).second;
        break;
      default: slot = slots_[index(id)] == kNoSlot ? make(id, wanted) : in_layout(id, wanted);
    }
    uses.push_back({argument, slot});
  }
  append(step_name(op, detail), way, std::move(uses));
  if (for_rows) can_be_cut(for_rows);
  for (const auto& [id, written] : gradients) store(written, slot_of(id));
}

void Lowering::can_be_cut(const KernelForRows& find) {
  std::vector<int> arguments;
  for (const Use& use : lowered_.steps.back().uses) arguments.push_back(use.argument);
  can_be_cut_into([find, arguments](std::int64_t rows) -> std::optional<Step> {
    const onednn::Found kernel = find(rows);
    if (!kernel || kernel->is_reference()) return std::nullopt;
    Step step{.implementation = kernel->implementation(),
              .primitive = kernel->create(),
              .scratch = kernel->at(DNNL_ARG_SCRATCHPAD)};
    for (const int argument : arguments) {
      step.uses.push_back({.argument = argument, .layout = kernel->at(argument)});
    }
    return step;
  });
}

void Lowering::can_be_cut_into(ForRows step) {
  lowered_.steps.back().for_rows = std::move(step);
}

void Lowering::append(std::string name, std::string implementation, const std::vector<SlotId>& uses,
                      Loop loop, bool is_main_work) {
  Step step{.name = std::move(name),
            .implementation = "millrace:" + std::move(implementation),
            .uses = {},
            .is_main_work = is_main_work,
            .primitive = {},
            .loop = std::move(loop),
            .scratch = {}};
  for (const SlotId slot : uses) step.uses.push_back({.argument = 0, .slot = slot});
  append(std::move(step));
}

}  // namespace millrace::cpu
