#include <millrace/cpu/lower/lowering.h>

#include <millrace/core/error.h>
#include <millrace/cpu/rounds.h>

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
      last_use_[index(id)] =
          std::max(last_use_[index(id)], is_put_off(graph.ops[i]) ? graph.ops.size() : i);
      ++uses_[index(id)];
    }
  }
  lowered_.batch = graph.batch;
  lowered_.part = options_.part;
  lowered_.parts = options_.division.parts;
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
    if (!left_out_[op_] && !is_put_off(op)) lower(op);
    if (op.kind == nn::OpKind::loss && !training) begin(Part::output);
  }
  for (op_ = 0; op_ < graph_.ops.size(); ++op_) {
    if (is_put_off(graph_.ops[op_])) lower(graph_.ops[op_]);
  }
  if (!training) {
    lowered_.output = in_layout(graph_.output, plain_layout(value(graph_.output).shape));
  }
  // Several threads on each operation have too little to do in a round.
  if (options_.threads == 1) compute_in_rounds(lowered_);
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

bool Lowering::is_by_outputs(const nn::Op& op) const {
  return op.kind == nn::OpKind::dense && op.pass != nn::Pass::backward_data && is_training() &&
         options_.division.is_by_outputs(op.layer);
}

bool Lowering::is_put_off(const nn::Op& op) const {
  return is_by_outputs(op) && op.pass == nn::Pass::backward_parameters;
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

void Lowering::begin_section() {
  begins_section_ = true;
  section_has_others_ = false;
}

void Lowering::append(Step step) {
  step.part = part_;
  step.begins_section = std::exchange(begins_section_, false);
  if (op_ >= graph_.ops.size() || !is_put_off(graph_.ops[op_])) section_has_others_ = true;
  lowered_.steps.push_back(std::move(step));
}

void Lowering::append(std::string name, const onednn::Kernel& kernel, std::vector<Use> uses) {
  append(Step{.name = std::move(name),
              .implementation = kernel.implementation(),
              .uses = std::move(uses),
              .is_main_work = kernel.is_main_work(),
              .primitive = kernel.create(),
              .loop = {},
              .scratch = kernel.at(DNNL_ARG_SCRATCHPAD)});
}

void Lowering::append(std::string name, const Way& way, std::vector<Use> uses) {
  if (const auto* kernel = std::get_if<onednn::Kernel>(&way.kernel)) {
    return append(std::move(name), *kernel, std::move(uses));
  }
  const auto& own = std::get<OwnKernel>(way.kernel);
  append(Step{.name = std::move(name),
              .implementation = own.implementation,
              .uses = std::move(uses),
              .is_main_work = true,
              .primitive = {},
              .loop = own.loop,
              .scratch = own.scratch});
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

Way Lowering::choose(const nn::Op& op, const std::string& description,
                     std::vector<Way> ways) const {
  const bool has_code = std::ranges::any_of(ways, [](const Way& w) { return !w.is_reference(); });
  if (has_code) std::erase_if(ways, [](const Way& way) { return way.is_reference(); });
  if (ways.empty()) (void)choose(op, {});  // throws
  const auto fits = [this](const Way& way) {
    return Bytes{way.scratch().get_size()} <= options_.most_scratch;
  };
  if (std::ranges::any_of(ways, fits)) std::erase_if(ways, std::not_fn(fits));
  if (options_.tuner == nullptr) return ways.front();
  return ways[options_.tuner->fastest(engine_, description, ways, options_.may_time)];
}

}  // namespace millrace::cpu
