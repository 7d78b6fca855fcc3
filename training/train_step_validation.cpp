// What a TrainStep does in validation.

#include <millrace/core/error.h>
#include <millrace/training/train_step.h>

#include <algorithm>
#include <set>
#include <utility>

namespace millrace {
namespace {

std::variant<nn::ClassificationMetrics, nn::TargetMetrics> metrics_of(
    const nn::Model& model, const std::vector<std::string>& names, std::int64_t width) {
  if (!model.targets.empty()) {
    for (const std::string& name : names) nn::check_target_metric(name, model);
    const bool auc = std::any_of(names.begin(), names.end(),
                                 [](const std::string& name) { return name.starts_with("auc"); });
    return nn::TargetMetrics(model, auc);
  }
  const std::int64_t classes = std::max<std::int64_t>(width, 2);
  nn::MetricsOptions options = nn::metrics_options(names, classes);
  options.outputs = nn::output_kind(model);
  return nn::ClassificationMetrics(classes, std::move(options));
}

}  // namespace

TrainStep& TrainStep::metrics(std::vector<std::string> names, std::int64_t samples,
                              std::int64_t batch) {
  std::set<std::string> told{"accuracy"};  // is measured anyway
  std::erase_if(names, [&](const std::string& name) { return !told.insert(name).second; });
  if (names.empty()) return *this;
  const nn::Model& model = state_->executor->model();
  const std::int64_t width = nn::summarize(model).back().output.elements();
  figures_.emplace(Figures{.names = names,
                           .metrics = metrics_of(model, names, width),
                           .samples = samples,
                           .batch = batch,
                           .outputs = std::vector<float>(static_cast<std::size_t>(batch * width))});
  return *this;
}

nn::StepResult TrainStep::evaluate(const DeviceBatch& batch) {
  const nn::Batch view = batch.view();
  if (!figures_) {
    state_->executor->start_evaluate(view);
    return {};
  }
  if (view.labels.data == nullptr) {
    throw Error("metrics need labels in host memory; a model that learns its input has none there");
  }
  const std::size_t width = figures_->outputs.size() / static_cast<std::size_t>(figures_->batch);
  const auto outputs =
      std::span(figures_->outputs).first(static_cast<std::size_t>(view.samples) * width);
  const nn::StepResult result = state_->executor->evaluate(view, outputs);
  std::visit([&](auto& metrics) { metrics.add(outputs, view.labels, view.samples); },
             figures_->metrics);
  *state_->epoch.validation += result;
  state_->device_s += result.device_s;
  return result;
}

nn::StepResult TrainStep::validate(const DeviceBatch& batch) {
  validates_ = true;
  state_->enter_averages();
  try {
    return evaluate(batch);
  } catch (...) {
    leave_validation();
    throw;
  }
}

void TrainStep::leave_validation() {
  if (std::exchange(validates_, false)) state_->leave_averages();
}

}  // namespace millrace
