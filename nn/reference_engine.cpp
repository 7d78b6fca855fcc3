#include <millrace/nn/reference_engine.h>

#include <millrace/core/error.h>
#include <millrace/nn/detail/reference_graph.h>

#include <algorithm>
#include <utility>

namespace millrace::nn {
namespace {

using reference::Arenas;
using reference::GraphRunner;

const char* name_of(Arena arena) {
  switch (arena) {
    case Arena::parameters: return "parameters";
    case Arena::gradients: return "gradients";
    case Arena::first_moment: return "first moment";
    case Arena::second_moment: return "second moment";
  }
  return "?";
}

template <class ArenasOrConst>
auto& select(ArenasOrConst& arenas, Arena arena) {
  switch (arena) {
    case Arena::parameters: return arenas.parameters;
    case Arena::gradients: return arenas.gradients;
    case Arena::first_moment: return arenas.first;
    case Arena::second_moment: break;
  }
  return arenas.second;
}

class Executor64 final : public ReferenceExecutor {
 public:
  Executor64(const Model& model, CompileOptions options)
      : options_(std::move(options)),
        loss_(options_.loss.value_or(default_loss(model))),
        parameters_(nn::parameters(model)),
        evaluation_(build_graph(model, options_.batch, Mode::evaluation, loss_), arenas_) {
    if (options_.training) {
      training_.emplace(build_graph(model, options_.batch, Mode::training, loss_), arenas_);
    }
  }

  [[nodiscard]] const Model& model() const override { return evaluation_.graph().model; }
  [[nodiscard]] std::vector<MemoryLine> memory() const override;
  void allocate() override;

  StepResult train(const Batch& batch, std::int64_t t, double learning_rate) override;
  StepResult gradients(const Batch& batch) override;
  StepResult evaluate(const Batch& batch) override;
  void predict(const Batch& batch, std::span<float> outputs) override;

  void read(Arena arena, std::span<float> values) const override;
  void write(Arena arena, std::span<const float> values) override;

  [[nodiscard]] std::vector<OpTiming> timings() const override;
  void reset_timings(bool enabled) override;

  [[nodiscard]] std::span<double> parameters() override { return arenas_.parameters; }
  [[nodiscard]] std::span<const double> gradient() const override { return arenas_.gradients; }

 private:
  [[nodiscard]] std::size_t trainable() const {
    return static_cast<std::size_t>(trainable_elements(parameters_));
  }
  [[nodiscard]] int states() const {
    return options_.training ? state_arenas(options_.optimizer) : 0;
  }
  /// Throws unless the arena exists and is that large.
  void require(Arena arena, std::size_t elements) const;
  GraphRunner& training();

  CompileOptions options_;
  Loss loss_;
  std::vector<Parameter> parameters_;
  Arenas arenas_;
  GraphRunner evaluation_;
  std::optional<GraphRunner> training_;
};

std::vector<MemoryLine> Executor64::memory() const {
  const auto doubles = [](std::size_t count) { return Bytes{count * sizeof(double)}; };
  const auto all = static_cast<std::size_t>(arena_elements(parameters_));
  const std::uint64_t values = evaluation_.bytes() + (training_ ? training_->bytes() : 0);
  return {{"parameters", doubles(all)},
          {"gradients", doubles(options_.training ? trainable() : 0)},
          {"optimizer state", doubles(static_cast<std::size_t>(states()) * trainable())},
          {"activations", Bytes{values}}};
}

void Executor64::allocate() {
  arenas_.parameters.assign(static_cast<std::size_t>(arena_elements(parameters_)), 0.0);
  arenas_.gradients.assign(options_.training ? trainable() : 0, 0.0);
  arenas_.first.assign(states() >= 1 ? trainable() : 0, 0.0);
  arenas_.second.assign(states() >= 2 ? trainable() : 0, 0.0);
  evaluation_.allocate();
  if (training_) training_->allocate();
}

GraphRunner& Executor64::training() {
  if (!training_) {
    throw Error(concat("the model '", model().name, "' was compiled without training"));
  }
  return *training_;
}

StepResult Executor64::gradients(const Batch& batch) {
  GraphRunner& graph = training();
  check_batch(batch, model(), options_.batch, true);
  return graph.run(batch, options_.seed);
}

StepResult Executor64::train(const Batch& batch, std::int64_t t, double learning_rate) {
  const StepResult result = gradients(batch);
  update<double>(options_.optimizer, learning_rate, t,
                 std::span(arenas_.parameters).first(trainable()), arenas_.gradients, arenas_.first,
                 arenas_.second);
  return result;
}

StepResult Executor64::evaluate(const Batch& batch) {
  check_batch(batch, model(), options_.batch, true);
  return evaluation_.run(batch, options_.seed);
}

void Executor64::predict(const Batch& batch, std::span<float> outputs) {
  check_batch(batch, model(), options_.batch, false);
  const ValueId id = evaluation_.graph().output;
  const std::int64_t k = evaluation_.graph().values[static_cast<std::size_t>(id)].shape[1];
  const auto count = static_cast<std::size_t>(batch.samples * k);
  MILLRACE_CHECK(outputs.size() >= count, "predict writes ", count, " values, not ",
                 outputs.size());
  evaluation_.run(batch, options_.seed, false);
  const std::span<const double> result = evaluation_.value(id).first(count);
  std::transform(result.begin(), result.end(), outputs.begin(),
                 [](double value) { return static_cast<float>(value); });
}

void Executor64::require(Arena arena, std::size_t elements) const {
  const std::size_t there = select(arenas_, arena).size();
  if (there == 0 && arena != Arena::parameters) {
    throw Error(concat("no ", name_of(arena), " to read or write: ",
                       options_.training ? concat(to_string(options_.optimizer.kind), " keeps ",
                                                  states(), " state arenas with these options")
                                         : "compiled without training"));
  }
  MILLRACE_CHECK(there == elements, "the arena of ", name_of(arena), " has ", there,
                 " elements, not ", elements);
}

void Executor64::read(Arena arena, std::span<float> values) const {
  require(arena, values.size());
  const std::vector<double>& from = select(arenas_, arena);
  std::transform(from.begin(), from.end(), values.begin(),
                 [](double value) { return static_cast<float>(value); });
}

void Executor64::write(Arena arena, std::span<const float> values) {
  require(arena, values.size());
  std::copy(values.begin(), values.end(), select(arenas_, arena).begin());
}

std::vector<OpTiming> Executor64::timings() const {
  std::vector<OpTiming> result;
  if (training_) result = training_->timings();
  const std::vector<OpTiming>& rest = evaluation_.timings();
  result.insert(result.end(), rest.begin(), rest.end());
  return result;
}

void Executor64::reset_timings(bool enabled) {
  evaluation_.measure(enabled);
  if (training_) training_->measure(enabled);
}

}  // namespace

std::string ReferenceEngine::description() const {
  return "reference: float64 loops, 1 thread";
}

std::unique_ptr<ReferenceExecutor> ReferenceEngine::compile_reference(
    const Model& model, const CompileOptions& options) const {
  validate(model);
  validate(options.optimizer);
  return std::make_unique<Executor64>(model, options);
}

std::unique_ptr<Executor> ReferenceEngine::compile(const Model& model,
                                                   const CompileOptions& options) const {
  return compile_reference(model, options);
}

}  // namespace millrace::nn
