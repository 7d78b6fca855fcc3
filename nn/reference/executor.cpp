#include <millrace/nn/reference/executor.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <utility>

namespace millrace::nn::reference {

Executor64::Executor64(const Model& model, CompileOptions options, const ReferenceOptions& numbers)
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

Graph Executor64::graph_of(const Model& model, Mode mode) const {
  return build_graph(model, options_.batch, mode, loss_, options_.label_smoothing);
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
  check_initialised(*this, is_initialised_);
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

}  // namespace millrace::nn::reference
