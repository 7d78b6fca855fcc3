#pragma once
// What a person sees while it works: one line that is drawn again on a terminal, plain lines
// elsewhere.

#include <millrace/pipeline/stall_watch.h>
#include <millrace/training/logger.h>

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <utility>

namespace millrace::apps {

enum class Show { nothing, lines, bar };

/// `bar` on a terminal, `lines` elsewhere, `nothing` if quiet.
[[nodiscard]] Show how_to_show(bool quiet);

/// Says on standard error, in one line, when a run has not moved for so many seconds; 0: never.
[[nodiscard]] StallWatch stall_watch(double after_s);

/// A count that grows: "reading the folders: 12,000 files". Drawn on terminals only, at most 10
/// times a second; gone when destroyed.
class Counting {
 public:
  Counting(Show show, std::string text, std::string unit);
  ~Counting();
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  void operator()(std::uint64_t count);

 private:
  Show show_;
  std::string text_, unit_;
  std::chrono::steady_clock::time_point next_{};
  bool is_drawn_ = false;
};

/// The progress of training.
class TrainingProgress {
 public:
  /// `tells_accuracy`: the loss counts right answers.
  TrainingProgress(Show show, std::uint32_t epochs, std::int64_t batch, bool tells_accuracy = true);
  void step(const StepRecord& record);
  void epoch(const EpochRecord& record);
  /// Ends a line that is being drawn, before something else is printed.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::string accuracy(const char* name, const nn::StepResult& result) const;

  Show show_;
  std::uint32_t epochs_;
  std::int64_t batch_;
  bool tells_accuracy_;
  Clock::time_point next_{}, phase_begin_ = Clock::now();
  std::optional<std::pair<std::uint32_t, Phase>> phase_{};  // with its epoch
  std::uint32_t first_steps_ = 1;                           // of the phase: up to its first record
  bool is_drawn_ = false;
  std::string pruning_;  // the line of the epoch before
};

}  // namespace millrace::apps
