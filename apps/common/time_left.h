#pragma once
// How long a training run will still take, from what its steps have taken so far.

#include <millrace/nodes/host_batch.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

namespace millrace::apps {

/// Is called after each step. Steps of training and of validation, and the time between them, are
/// timed separately; until one is timed, it is taken to be like the other. A run that stops early
/// ends before the estimate.
class TimeLeft {
 public:
  using Time = std::chrono::steady_clock::time_point;
  /// Steps are those of an epoch.
  TimeLeft(std::uint32_t epochs, std::uint32_t training_steps, std::uint32_t validation_steps);
  void step(const BatchTag& tag, Time now);
  /// Steps a second of the phase under way; 0: not known yet. The first steps of a phase started
  /// the clock, so they do not count.
  [[nodiscard]] double rate() const;
  /// Seconds until the end of the run; nothing if nothing was timed yet.
  [[nodiscard]] std::optional<double> seconds() const;

 private:
  struct Timed {
    double step_s = 0;  // a step of the last such phase, or of this one as far as it is
    double gap_s = 0;   // from the step before the phase to its first record
    std::uint32_t steps = 0;
    bool is_timed = false;
  };
  [[nodiscard]] double step_seconds(Phase phase) const;
  [[nodiscard]] double phase_seconds(Phase phase) const;
  void begin_phase(const BatchTag& tag, Time now);

  std::uint32_t epochs_;
  std::array<Timed, 2> phases_{};  // by Phase
  std::optional<BatchTag> last_{};
  Time begin_{}, last_time_{};
  std::uint32_t first_ = 0;  // steps of the phase that were done at begin_
  double before_s_ = 0;      // a step in the same phase of the epoch before
};

}  // namespace millrace::apps
