#pragma once
// The cost of training steps without a pipeline: `bench train` compares its measurements with this
// lower bound.

#include <millrace/training/training.h>

#include <cstdint>
#include <stop_token>
#include <vector>

namespace millrace::apps {

/// CPU time of this process so far, in seconds.
[[nodiscard]] double process_cpu_seconds();

/// Of a step, in milliseconds.
struct StepCosts {
  double loop_ms = 0;    ///< that a loop over steps takes, nothing else at work
  double bare_ms = 0;    ///< CPU time of cpu::run_bare_step
  double update_ms = 0;  ///< CPU time of the update of the weights: what it takes, on all threads
};

/// Steps of random samples on an executor of the CPU whose memory is allocated; its weights are of
/// no use afterwards. The training outlives this.
class StepBench {
 public:
  explicit StepBench(const Training& training);
  /// The mean of this many steps. Throws Stopped between two of them.
  [[nodiscard]] StepCosts measure(std::int64_t steps, const std::stop_token& stop);

 private:
  const Training& training_;
  std::vector<float> input_, dense_labels_;
  std::vector<std::int32_t> labels_;
  nn::Batch batch_;
  std::int64_t step_ = 0;
};

}  // namespace millrace::apps
