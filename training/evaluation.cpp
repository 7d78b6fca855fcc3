#include <millrace/training/evaluation.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>

#include <span>
#include <utility>
#include <vector>

namespace millrace {
namespace {

nn::ClassificationMetrics metrics_of(const OnePass& pass, nn::MetricsOptions options) {
  if (!pass.model().targets.empty()) return nn::ClassificationMetrics(2);
  options.outputs = nn::output_kind(pass.model());
  return nn::ClassificationMetrics(
      static_cast<std::int64_t>(pass.samples().dataset->classes().size()), std::move(options));
}

std::optional<nn::TargetMetrics> target_metrics_of(const OnePass& pass,
                                                   const nn::MetricsOptions& options) {
  const nn::Model& model = pass.model();
  const std::size_t targets = pass.samples().dataset->targets().size();
  if (targets != model.targets.size()) {
    throw Error(concat("the model has ", model.targets.size(), ' ',
                       plural(model.targets.size(), "target"), ", the samples ", targets));
  }
  if (targets == 0) return std::nullopt;
  return nn::TargetMetrics(model, options.auc);
}

}  // namespace

EvaluationSession::EvaluationSession(std::shared_ptr<const nn::Engine> engine, SavedModel model,
                                     SampleSet samples, EvaluationOptions options)
    : pass_(std::move(engine), std::move(model), std::move(samples), std::move(options.pass),
            std::move(options.compile)),
      empty_(metrics_of(pass_, options.metrics)),
      no_targets_(target_metrics_of(pass_, options.metrics)) {}

Evaluation EvaluationSession::run(const Watch& watch) const {
  Evaluation result{{}, empty_, {}, no_targets_};
  Pipeline p = pass_.pipeline("evaluate");
  const std::uint32_t samples = pass_.samples().size();
  p.charge("metrics", 1, no_targets_ ? no_targets_->bytes(samples) : empty_.bytes(samples));
  const std::int64_t width = pass_.output_width();
  p.sink(pass_.add_inputs(p), {.name = "evaluate", .on = On::engine},
         [&, memory = std::vector<float>(static_cast<std::size_t>(pass_.batch() * width))](
             const Lease<DeviceBatch>& batch) mutable {
           if (batch->size == 0) return;
           const auto outputs =
               std::span(memory).first(static_cast<std::size_t>(batch->size * width));
           const nn::Batch view = batch->view();
           result.sum += pass_.executor().evaluate(view, outputs);
           if (result.targets)
             result.targets->add(outputs, view.labels, view.samples);
           else
             result.metrics.add(outputs, view.labels, view.samples);
           if (watch.progress) watch.progress(static_cast<std::uint64_t>(result.sum.samples));
         });
  p.check();
  result.targets ? result.targets->reserve(samples) : result.metrics.reserve(samples);
  pass_.allocate();
  result.report = p.run(watch.stop);
  return result;
}

}  // namespace millrace
