#pragma once
// The outputs of a trained model for samples, batch by batch while they are read.
//
//   PredictionSession session(cpu::make_engine(), load_model("run/model.safetensors"), samples);
//   session.run([&](const Predicted& some) {
//     for (std::size_t i = 0; i < some.samples.size(); ++i) use(some.samples[i], some.outputs(i));
//   });

#include <millrace/pipeline/report.h>
#include <millrace/training/one_pass.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stop_token>

namespace millrace {

/// The outputs for some samples, in the order of the session's; they lie there during a call.
struct Predicted {
  std::span<const std::uint32_t> samples;  ///< [N] their numbers in the data set
  std::span<const float> values;           ///< [N][width]
  std::size_t width = 0;                   ///< outputs of the model

  /// Of samples[i].
  [[nodiscard]] std::span<const float> outputs(std::size_t i) const {
    return values.subspan(i * width, width);
  }
};

/// list - decode - batch - copy - cast - predict - tell. Samples that cannot be read, if
/// `on_bad_image` leaves them out, appear only in the report.
///
/// Thread safety: none.
class PredictionSession {
 public:
  /// Compiles the model. Batches are no larger than the samples are many. Throws as OnePass does.
  PredictionSession(std::shared_ptr<const nn::Engine> engine, SavedModel model, SampleSet samples,
                    OnePassOptions options = {});

  /// Looks at all samples. `tell` is called on one separate thread, in the order of the samples,
  /// during the next step. May be called again. Throws BudgetError before anything is allocated,
  /// StageError as Pipeline::run() does.
  Report run(std::function<void(const Predicted&)> tell, std::stop_token stop = {}) const;

  [[nodiscard]] const OnePass& pass() const noexcept { return pass_; }

 private:
  OnePass pass_;
};

}  // namespace millrace
