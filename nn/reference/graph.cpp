#include <millrace/core/error.h>
#include <millrace/core/half.h>
#include <millrace/nn/reference/graph.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

namespace millrace::nn::reference {
namespace {

/// The operation over float32; what it writes comes back.
void run_floats(const LayerKind& kind, bool is_forward, const Call& call) {
  FloatCall floats{.samples = call.samples,
                   .inputs = call.inputs,
                   .output = call.output,
                   .operands = {},
                   .seed = call.seed,
                   .pass = call.pass,
                   .layer = call.layer,
                   .positions = call.positions};
  std::vector<std::vector<float>> memory;
  for (const Call::Bound& bound : call.operands) {
    memory.emplace_back(bound.values.begin(), bound.values.end());
    floats.operands.push_back({bound.operand, memory.back()});
  }
  is_forward ? kind->forward(floats) : kind->backward(floats);
  for (std::size_t i = 0; i < memory.size(); ++i) {
    std::copy(memory[i].begin(), memory[i].end(), call.operands[i].values.begin());
  }
}

bool lives_in_arena(const Value& value) {
  return value.parameter >= 0;
}

}  // namespace

GraphRunner::GraphRunner(Graph graph, Arenas& arenas, Precision precision, bool float_loops)
    : graph_(std::move(graph)),
      arenas_(arenas),
      precision_(precision),
      float_loops_(float_loops),
      shapes_(infer_shapes(graph_.model)),
      inputs_(input_shapes(graph_.model, shapes_)) {}

std::uint64_t GraphRunner::bytes() const {
  std::uint64_t sum = 0;
  for (const Value& value : graph_.values) {
    if (lives_in_arena(value) || value.role == ValueRole::labels) continue;
    sum += static_cast<std::uint64_t>(value.shape.elements()) * sizeof(double);
  }
  return sum;
}

void GraphRunner::allocate() {
  values_.resize(graph_.values.size());
  for (std::size_t v = 0; v < values_.size(); ++v) {
    const Value& value = graph_.values[v];
    if (lives_in_arena(value) || value.role == ValueRole::labels) continue;
    values_[v].assign(static_cast<std::size_t>(value.shape.elements()), 0.0);
  }
}

void GraphRunner::release() {
  values_ = {};
}

StepResult GraphRunner::run(const Batch& batch, std::uint64_t seed, bool with_loss,
                            double loss_scale) {
  using Clock = std::chrono::steady_clock;
  samples_ = batch.samples;
  loss_scale_ = loss_scale;
  refresh_working_copies();
  const std::span<const float> input = batch.input.as<float>();
  const Out destination = rows(graph_.input);
  std::copy_n(input.begin(), destination.span().size(), destination.begin());
  round(destination.span());
  StepResult result;
  for (std::size_t i = 0; i < graph_.ops.size(); ++i) {
    const Op& op = graph_.ops[i];
    if (op.is_loss() && !with_loss) continue;
    const auto begin = timings_.empty() ? Clock::time_point() : Clock::now();
    run_op(op, batch, seed, result);
    round_outputs(op);
    if (timings_.empty()) continue;
    const std::chrono::duration<double> spent = Clock::now() - begin;
    timings_[i].seconds += spent.count();
    ++timings_[i].calls;
  }
  return result;
}

std::span<const double> GraphRunner::output() const {
  const std::int64_t row = graph_.value(graph_.output).shape.without_front().elements();
  return std::span(values_[static_cast<std::size_t>(graph_.output)])
      .first(static_cast<std::size_t>(samples_ * row));
}

void GraphRunner::measure(bool enabled) {
  timings_.clear();
  if (!enabled) return;
  for (const Op& op : graph_.ops) {
    const std::string name = op.is_loss() ? "loss" : graph_.layer(op).name;
    timings_.push_back(
        {.name = concat(name, " ", to_string(op.pass)), .implementation = "float64 loops"});
  }
}

void GraphRunner::run_op(const Op& op, const Batch& batch, std::uint64_t seed, StepResult& result) {
  if (op.is_loss()) {
    result = loss(op, batch);
    return;
  }
  if (op.pass == Pass::gradient_sum) return add_gradients(op);
  const bool is_forward = op.pass == Pass::forward;
  const Call call = bind(op, batch, seed);
  const LayerKind& kind = graph_.layer(op).kind;
  if (float_loops_ && kind->has_float_loops()) return run_floats(kind, is_forward, call);
  is_forward ? kind->forward(call) : kind->backward(call);
}

Call GraphRunner::bind(const Op& op, const Batch& batch, std::uint64_t seed) {
  const LayerShape& shape = shapes_[static_cast<std::size_t>(op.layer)];
  Call call{.samples = samples_,
            .inputs = inputs_[static_cast<std::size_t>(op.layer)],
            .output = shape.output,
            .seed = seed,
            .pass = batch.pass,
            .layer = op.layer,
            .positions = batch.positions};
  for (const std::vector<Argument>* list : {&op.inputs, &op.outputs}) {
    for (const auto& [operand, value] : *list) {
      call.operands.push_back({operand, rows(value).span()});
    }
  }
  return call;
}

void GraphRunner::add_gradients(const Op& op) {
  const In a = std::span<const double>(rows(op.x(0)).span()),
           b = std::span<const double>(rows(op.x(1)).span());
  std::transform(a.begin(), a.end(), b.begin(), rows(op.y()).begin(), std::plus<>());
}

StepResult GraphRunner::loss(const Op& op, const Batch& batch) {
  const std::int64_t k = graph_.value(op.x()).shape[1];
  const Out dlogits = op.dx() < 0 ? Out() : rows(op.dx());
  const StepResult result =
      evaluate_loss<double>(graph_.loss, rows(op.x()).span(), batch.labels, batch.weights, samples_,
                            k, dlogits.span(), graph_.label_smoothing, batch.weighs_outputs);
  for (double& slope : dlogits) slope *= loss_scale_;
  return result;
}

bool GraphRunner::has_working_copy(const Parameter& parameter) const {
  return rounds() && (parameter.role == Role::kernel || parameter.role == Role::bias);
}

void GraphRunner::refresh_working_copies() {
  for (const Parameter& parameter : graph_.parameters) {
    if (!has_working_copy(parameter)) continue;
    const std::int64_t count = parameter.shape.elements();
    const auto copy =
        std::span(arenas_.working)
            .subspan(static_cast<std::size_t>(parameter.offset), static_cast<std::size_t>(count));
    std::copy_n(arenas_.parameters.begin() + parameter.offset, count, copy.begin());
    round(copy);
  }
}

void GraphRunner::round(std::span<double> values) const {
  if (!rounds()) return;
  const bool is_f16 = precision_ == Precision::fp16;
  for (double& value : values) {
    const auto single = static_cast<float>(value);
    value = double{is_f16 ? float_from_f16(f16_from_float(single))
                          : float_from_bf16(bf16_from_float(single))};
  }
}

/// Rounding behind a dense layer and again behind its ReLU is rounding once: the second changes
/// nothing.
void GraphRunner::round_outputs(const Op& op) {
  if (float_loops_) {
    for (const Argument& made : op.outputs) {
      for (double& value : rows(made.value).span()) value = double{static_cast<float>(value)};
    }
  }
  if (!rounds()) return;
  for (const Argument& made : op.outputs) {
    const ValueId id = made.value;
    if (id == graph_.logits || id == graph_.output) continue;
    if (graph_.value(id).role != ValueRole::saved) round(rows(id).span());
  }
}

/// The valid rows of a value, or all of it where its first dimension is not the batch.
Out GraphRunner::rows(ValueId id) {
  const Value& value = graph_.value(id);
  if (lives_in_arena(value)) {
    const Parameter& parameter = graph_.parameters[static_cast<std::size_t>(value.parameter)];
    auto& arena = value.role != ValueRole::parameter ? arenas_.gradients
                  : has_working_copy(parameter)      ? arenas_.working
                                                     : arenas_.parameters;
    return std::span<double>(arena).subspan(static_cast<std::size_t>(parameter.offset),
                                            static_cast<std::size_t>(parameter.shape.elements()));
  }
  const std::span<double> all(values_[static_cast<std::size_t>(id)]);
  if (!value.has_rows) return all;
  const std::int64_t row = value.shape.without_front().elements();
  return all.first(static_cast<std::size_t>(samples_ * row));
}

}  // namespace millrace::nn::reference
