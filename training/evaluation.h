#pragma once
// Measures a trained model on samples: its loss, and its metrics class by class.
//
//   EvaluationSession session(cpu::make_engine(), load_model("run/model.safetensors"),
//                             SampleSet::all(photos));
//   const Evaluation result = session.run();
//   std::cout << result.sum.accuracy() << ' ' << result.metrics.top_k(1) << '\n';

#include <millrace/io/watch.h>
#include <millrace/nn/metrics.h>
#include <millrace/pipeline/report.h>
#include <millrace/training/one_pass.h>

#include <memory>

namespace millrace {

struct EvaluationOptions {
  OnePassOptions pass{};
  nn::MetricsOptions metrics{};  ///< the kind of outputs follows from the model
  nn::CompileOptions compile{};  ///< of the loss: which one, smoothing, L2; see OnePass
};

/// What an evaluation comes to. Of a run that was stopped (`report`) it is of the samples so far;
/// those that could not be read are in none of it.
struct Evaluation {
  nn::StepResult sum;
  nn::ClassificationMetrics metrics;
  Report report;
};

/// list - decode - batch - copy - cast - evaluate.
///
/// Thread safety: none.
class EvaluationSession {
 public:
  /// Compiles the model; labels are those of the samples' data set, whose classes are the model's.
  /// Throws as OnePass does, UsageError for metrics that this many classes do not have.
  EvaluationSession(std::shared_ptr<const nn::Engine> engine, SavedModel model, SampleSet samples,
                    EvaluationOptions options = {});

  /// Evaluates all samples; `watch` gets their number so far, on the engine's thread. May be called
  /// again. Throws BudgetError before anything is allocated, StageError as Pipeline::run() does.
  [[nodiscard]] Evaluation run(const Watch& watch = {}) const;

  [[nodiscard]] const OnePass& pass() const noexcept { return pass_; }

 private:
  OnePass pass_;
  nn::ClassificationMetrics empty_;  // of no samples yet
};

}  // namespace millrace
