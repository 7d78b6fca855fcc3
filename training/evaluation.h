#pragma once
// How good a trained model is on samples: its loss, and what it gets right class by class, or how
// near it comes to targets.
//
//   EvaluationSession session(cpu::make_engine(), load_model("run/model.safetensors"),
//                             SampleSet::all(photos));
//   const Evaluation result = session.run();
//   std::cout << result.sum.accuracy() << ' ' << result.metrics.top_k(1) << '\n';

#include <millrace/io/watch.h>
#include <millrace/nn/metrics.h>
#include <millrace/nn/target_metrics.h>
#include <millrace/pipeline/report.h>
#include <millrace/training/one_pass.h>

#include <memory>
#include <optional>

namespace millrace {

struct EvaluationOptions {
  OnePassOptions pass{};
  nn::MetricsOptions metrics{};  ///< the kind of outputs follows from the model
  nn::CompileOptions compile{};  ///< of the loss: which one, smoothing, L2; see OnePass
};

/// The result of an evaluation. Of a run that was stopped (`report`) it is of the samples so far;
/// those that could not be read are in none of it.
struct Evaluation {
  nn::StepResult sum;
  nn::ClassificationMetrics metrics;  ///< of no samples where the model has targets
  Report report;
  std::optional<nn::TargetMetrics> targets{};  ///< where it has
};

/// list - decode - batch - copy - cast - evaluate.
///
/// Thread safety: none.
class EvaluationSession {
 public:
  /// Compiles the model; labels are those of the samples' data set, whose classes, or targets, are
  /// the model's.
  /// Throws as OnePass does, UsageError for metrics that need more classes.
  EvaluationSession(std::shared_ptr<const nn::Engine> engine, SavedModel model, SampleSet samples,
                    EvaluationOptions options = {});

  /// Evaluates all samples; `watch` gets their number so far, on the engine's thread. May be called
  /// again. Throws BudgetError before anything is allocated, StageError as Pipeline::run() does.
  [[nodiscard]] Evaluation run(const Watch& watch = {}) const;

  [[nodiscard]] const OnePass& pass() const noexcept { return pass_; }

 private:
  OnePass pass_;
  nn::ClassificationMetrics empty_;              // of no samples yet
  std::optional<nn::TargetMetrics> no_targets_;  // likewise
};

}  // namespace millrace
