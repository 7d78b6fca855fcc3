#include <millrace/nn/reference/engine.h>

#include <millrace/core/error.h>
#include <millrace/nn/reference/graph.h>
#include <millrace/nn/reference/update.h>

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
    case Arena::state0: return "state 0";
    case Arena::state1: return "state 1";
    case Arena::masks: return "masks";
    case Arena::average: return "average";
  }
  return "?";
}

template <class ArenasOrConst>
auto& select(ArenasOrConst& arenas, Arena arena) {
  switch (arena) {
    case Arena::parameters: return arenas.parameters;
    case Arena::gradients: return arenas.gradients;
    case Arena::state0:
    case Arena::state1: return arenas.states[static_cast<std::size_t>(state_index(arena))];
    case Arena::masks: return arenas.masks;
    case Arena::average: break;
  }
  return arenas.average;
}

class Executor64 final : public ReferenceExecutor {
 public:
  Executor64(const Model& model, CompileOptions options, const ReferenceOptions& numbers)
      : options_(std::move(options)),
        numbers_(numbers),
        loss_(options_.loss.value_or(default_loss(model))),
        parameters_(nn::parameters(model)),
        evaluation_(graph_of(model, Mode::evaluation), arenas_, numbers.precision,
                    numbers.float_loops) {
    if (!options_.training) return;
    training_.emplace(graph_of(model, Mode::training), arenas_, numbers.precision,
                      numbers.float_loops);
  }

  [[nodiscard]] const Model& model() const override { return evaluation_.graph().model; }
  [[nodiscard]] std::vector<MemoryLine> memory() const override;
  void allocate() override;
  void release() override;

  StepResult train(const Batch& batch, std::int64_t t, double learning_rate) override;
  void start_accumulate(const Batch& batch, bool begins_group) override;
  void start_update(std::int64_t t, double learning_rate) override;
  void drop_group() override;
  StepResult finish() override;
  [[nodiscard]] std::int64_t accumulates() const override { return options_.accumulate; }
  StepResult gradients(const Batch& batch) override;
  StepResult evaluate(const Batch& batch, std::span<float> outputs) override;
  void predict(const Batch& batch, std::span<float> outputs) override;

  void mask_updates(bool enabled) override { masks_updates_ = enabled; }
  [[nodiscard]] bool masks_updates() const override { return masks_updates_; }
  [[nodiscard]] bool keeps_average() const override {
    return options_.training && options_.average.has_value();
  }
  void swap_average() override;
  [[nodiscard]] bool is_swapped() const override { return is_swapped_; }
  void read(Arena arena, std::span<float> values) const override;
  void write(Arena arena, std::span<const float> values) override;

  [[nodiscard]] std::optional<LossScaleState> loss_scale() const override;
  void set_loss_scale(const LossScaleState& state) override;

  [[nodiscard]] std::vector<OpTiming> timings() const override;
  void reset_timings(bool enabled) override;

  [[nodiscard]] std::span<double> parameters() override { return arenas_.parameters; }
  [[nodiscard]] std::span<const double> gradient() const override { return arenas_.gradients; }
  [[nodiscard]] std::span<const double> outputs() const override { return evaluation_.output(); }

 private:
  [[nodiscard]] std::size_t trainable() const {
    return static_cast<std::size_t>(trainable_elements(parameters_));
  }
  [[nodiscard]] int states() const {
    return options_.training ? state_arenas(options_.optimizer) : 0;
  }
  [[nodiscard]] bool has_masks() const { return options_.training && options_.masks; }
  [[nodiscard]] bool sums() const { return options_.training && options_.accumulate > 1; }
  [[nodiscard]] std::size_t changed_by_batches() const {
    const bool changes = sums() && has_batch_statistics(model());
    return changes ? static_cast<std::size_t>(arena_elements(parameters_)) - trainable() : 0;
  }
  [[nodiscard]] std::vector<double>::iterator untrained() {
    return arenas_.parameters.begin() + trainable_elements(parameters_);
  }
  [[nodiscard]] bool has_working_copies() const {
    return storage_of(numbers_.precision) != DType::f32;
  }
  [[nodiscard]] bool scales_loss() const {
    return options_.training && numbers_.precision == Precision::fp16;
  }
  [[nodiscard]] Graph graph_of(const Model& model, Mode mode) const;
  /// The part of L2 in the loss of a step, times its samples: results are sums.
  [[nodiscard]] double penalty(std::int64_t samples) const {
    return reference::penalty(arenas_, parameters_, options_.gradient) *
           static_cast<double>(samples);
  }
  void check(const Batch& batch, bool needs_labels) const;
  /// Forward and backward; gradients are those of the scaled loss, without the part of L2.
  StepResult differentiate(const Batch& batch);
  /// From the gradients of a step to new weights.
  void update(std::int64_t t, double learning_rate);
  /// Makes them those of the loss.
  void unscale_and_penalise();
  void copy_outputs(std::int64_t samples, std::span<float> outputs) const;
  /// Throws unless the arena exists and is that large.
  void require(Arena arena, std::size_t elements) const;
  GraphRunner& training();

  CompileOptions options_;
  ReferenceOptions numbers_;
  Loss loss_;
  std::vector<Parameter> parameters_;
  Arenas arenas_;
  GraphRunner evaluation_;
  std::optional<GraphRunner> training_;
  LossScaleState loss_scale_;
  StepResult group_, updated_;  ///< of the group under way, and of groups since finish()
  /// Parameters that no update changes, as they were before the group, where batches change some.
  std::vector<double> before_group_;
  bool masks_updates_ = true;
  bool is_swapped_ = false;
};

Graph Executor64::graph_of(const Model& model, Mode mode) const {
  return build_graph(model, options_.batch, mode, loss_, options_.label_smoothing);
}

std::vector<MemoryLine> Executor64::memory() const {
  const auto doubles = [](std::size_t count) { return Bytes{count * sizeof(double)}; };
  const auto all = static_cast<std::size_t>(arena_elements(parameters_));
  const std::uint64_t values = evaluation_.bytes() + (training_ ? training_->bytes() : 0);
  std::vector<MemoryLine> lines{
      {"parameters", doubles(all)},
      {"gradients",
       doubles(options_.training ? trainable() * (sums() ? 2 : 1) + changed_by_batches() : 0)},
      {"optimizer state", doubles(static_cast<std::size_t>(states()) * trainable())}};
  if (has_masks()) lines.push_back({"masks", doubles(trainable())});
  if (keeps_average()) lines.push_back({"average", doubles(trainable())});
  if (has_working_copies()) lines.push_back({"working copies", doubles(all)});
  lines.push_back({"activations", Bytes{values}});
  return lines;
}

void Executor64::allocate() {
  arenas_.parameters.assign(static_cast<std::size_t>(arena_elements(parameters_)), 0.0);
  arenas_.working.assign(has_working_copies() ? arenas_.parameters.size() : 0, 0.0);
  arenas_.gradients.assign(options_.training ? trainable() : 0, 0.0);
  arenas_.sums.assign(sums() ? trainable() : 0, 0.0);
  before_group_.assign(changed_by_batches(), 0.0);
  group_ = updated_ = {};
  for (int i = 0; i < states(); ++i)
    arenas_.states.at(static_cast<std::size_t>(i)).assign(trainable(), 0.0);
  arenas_.masks.assign(has_masks() ? trainable() : 0, 0.0);
  if (has_masks()) reference::clear_masks(arenas_, parameters_);
  arenas_.average.assign(keeps_average() ? trainable() : 0, 0.0);
  masks_updates_ = true;
  is_swapped_ = false;
  loss_scale_ = {.scale = scales_loss() ? numbers_.loss_scale.initial : 1};
  evaluation_.allocate();
  if (training_) training_->allocate();
}

void Executor64::release() {
  arenas_ = {};
  before_group_ = {};
  evaluation_.release();
  if (training_) training_->release();
}

GraphRunner& Executor64::training() {
  if (!training_) {
    throw Error(concat("the model '", model().name, "' was compiled without training"));
  }
  return *training_;
}

void Executor64::check(const Batch& batch, bool needs_labels) const {
  MILLRACE_CHECK(!arenas_.parameters.empty(), "allocate() comes before the first step");
  check_batch(batch, model(), options_.batch, needs_labels);
}

StepResult Executor64::differentiate(const Batch& batch) {
  GraphRunner& graph = training();
  check(batch, true);
  StepResult result = graph.run(batch, options_.seed, true, loss_scale_.scale);
  result.loss_sum += penalty(batch.samples);
  return result;
}

void Executor64::unscale_and_penalise() {
  for (double& g : arenas_.gradients) g /= loss_scale_.scale;
  reference::penalise(arenas_, parameters_, options_.gradient);
}

StepResult Executor64::gradients(const Batch& batch) {
  const StepResult result = differentiate(batch);
  unscale_and_penalise();
  return result;
}

StepResult Executor64::train(const Batch& batch, std::int64_t t, double learning_rate) {
  check_not_swapped(*this);
  const StepResult result = differentiate(batch);
  update(t, learning_rate);
  return result;
}

void Executor64::start_accumulate(const Batch& batch, bool begins_group) {
  check_accumulates(options_);
  check(batch, true);
  if (begins_group) group_ = {};
  if (group_.samples == 0) {
    std::fill(arenas_.sums.begin(), arenas_.sums.end(), 0.0);
    std::copy_n(untrained(), before_group_.size(), before_group_.begin());
  }
  group_ += differentiate(batch);
  for (std::size_t i = 0; i < arenas_.sums.size(); ++i) {
    arenas_.sums[i] += static_cast<double>(batch.samples) * arenas_.gradients[i];
  }
}

void Executor64::start_update(std::int64_t t, double learning_rate) {
  check_accumulates(options_);
  check_not_swapped(*this);
  check_group(group_.samples);
  const auto samples = static_cast<double>(group_.samples);
  std::transform(arenas_.sums.begin(), arenas_.sums.end(), arenas_.gradients.begin(),
                 [=](double sum) { return sum / samples; });
  update(t, learning_rate);
  updated_ += std::exchange(group_, {});
}

void Executor64::drop_group() {
  if (group_.samples == 0) return;
  std::ranges::copy(before_group_, untrained());
  group_ = {};
}

StepResult Executor64::finish() {
  StepResult result = ReferenceExecutor::finish();
  result += std::exchange(updated_, {});
  return result;
}

void Executor64::update(std::int64_t t, double learning_rate) {
  const bool is_taken = !scales_loss() || reference::are_finite(arenas_.gradients);
  unscale_and_penalise();
  if (is_taken) {
    reference::clip(arenas_, parameters_, options_.gradient);
    reference::update(arenas_, options_.optimizer, learning_rate, t - loss_scale_.skipped);
    if (keeps_average()) reference::take_average(arenas_, *options_.average);
    if (masks_updates_) reference::apply_masks(arenas_);
  }
  if (scales_loss()) advance(loss_scale_, numbers_.loss_scale, is_taken);
}

std::optional<LossScaleState> Executor64::loss_scale() const {
  if (!scales_loss()) return std::nullopt;
  return loss_scale_;
}

void Executor64::set_loss_scale(const LossScaleState& state) {
  if (scales_loss()) loss_scale_ = state;
}

StepResult Executor64::evaluate(const Batch& batch, std::span<float> outputs) {
  check(batch, true);
  StepResult result = evaluation_.run(batch, options_.seed);
  result.loss_sum += penalty(batch.samples);
  if (!outputs.empty()) copy_outputs(batch.samples, outputs);
  return result;
}

void Executor64::predict(const Batch& batch, std::span<float> outputs) {
  check(batch, false);
  evaluation_.run(batch, options_.seed, false);
  copy_outputs(batch.samples, outputs);
}

void Executor64::copy_outputs(std::int64_t samples, std::span<float> outputs) const {
  const std::span<const double> result = evaluation_.output();
  MILLRACE_CHECK(outputs.size() >= result.size(), "outputs of ", samples, " samples are ",
                 result.size(), " values, not ", outputs.size());
  std::transform(result.begin(), result.end(), outputs.begin(),
                 [](double value) { return static_cast<float>(value); });
}

void Executor64::require(Arena arena, std::size_t elements) const {
  const std::size_t there = select(arenas_, arena).size();
  if (there == 0 && arena != Arena::parameters) {
    throw Error(concat("no ", name_of(arena), " to read or write: ",
                       arena == Arena::masks     ? std::string("compiled without masks")
                       : arena == Arena::average ? std::string("compiled without an average")
                       : options_.training ? concat(to_string(options_.optimizer.kind), " keeps ",
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
  if (arena != Arena::parameters) return;
  std::copy_n(values.begin(), arenas_.average.size(), arenas_.average.begin());
}

void Executor64::swap_average() {
  check_keeps_average(*this);
  MILLRACE_CHECK(!arenas_.parameters.empty(), "allocate() comes before averages are used");
  std::swap_ranges(arenas_.average.begin(), arenas_.average.end(), arenas_.parameters.begin());
  is_swapped_ = !is_swapped_;
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

ReferenceEngine::ReferenceEngine(const ReferenceOptions& options) : options_(options) {
  if (options.precision == Precision::tf32) {
    throw UsageError("the reference engine computes in fp32 (float64), fp16 and bf16, not in tf32");
  }
  validate(options.loss_scale);
}

std::string ReferenceEngine::description() const {
  const bool rounds = storage_of(options_.precision) != DType::f32;
  return concat("reference: float64 loops", rounds ? " that round to " : "",
                rounds ? to_string(options_.precision) : "", ", 1 thread");
}

std::unique_ptr<ReferenceExecutor> ReferenceEngine::compile_reference(
    const Model& model, const CompileOptions& options) const {
  validate(model);
  validate(options);
  return std::make_unique<Executor64>(model, options, options_);
}

std::unique_ptr<Executor> ReferenceEngine::compile(const Model& model,
                                                   const CompileOptions& options) const {
  return compile_reference(model, options);
}

}  // namespace millrace::nn
