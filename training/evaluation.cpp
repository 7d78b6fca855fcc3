#include <millrace/training/evaluation.h>

#include <span>
#include <utility>
#include <vector>

namespace millrace {
namespace {

nn::ClassificationMetrics metrics_of(const OnePass& pass, nn::MetricsOptions options) {
  options.outputs = nn::output_kind(pass.model());
  return nn::ClassificationMetrics(
      static_cast<std::int64_t>(pass.samples().dataset->classes().size()), std::move(options));
}

}  // namespace

EvaluationSession::EvaluationSession(std::shared_ptr<const nn::Engine> engine, SavedModel model,
                                     SampleSet samples, EvaluationOptions options)
    : pass_(std::move(engine), std::move(model), std::move(samples), std::move(options.pass),
            std::move(options.compile)),
      empty_(metrics_of(pass_, std::move(options.metrics))) {}

Evaluation EvaluationSession::run(const Watch& watch) const {
  Evaluation result{{}, empty_, {}};
  Pipeline p = pass_.pipeline("evaluate");
  p.charge("metrics", 1, empty_.bytes(pass_.samples().size()));
  const std::int64_t width = pass_.output_width();
  p.sink(pass_.add_inputs(p), {.name = "evaluate", .on = On::engine},
         [&, memory = std::vector<float>(static_cast<std::size_t>(pass_.batch() * width))](
             const Lease<DeviceBatch>& batch) mutable {
           if (batch->size == 0) return;
           const auto outputs =
               std::span(memory).first(static_cast<std::size_t>(batch->size * width));
           const nn::Batch view = batch->view();
           result.sum += pass_.executor().evaluate(view, outputs);
           result.metrics.add(outputs, view.labels, view.samples);
           if (watch.progress) watch.progress(static_cast<std::uint64_t>(result.sum.samples));
         });
  p.check();
  result.metrics.reserve(pass_.samples().size());
  pass_.allocate();
  result.report = p.run(watch.stop);
  return result;
}

}  // namespace millrace
