#pragma once
// Progress for the user: one line that is redrawn on a terminal, plain lines elsewhere.

#include "apps/common/terminal.h"
#include "apps/common/time_left.h"

#include <millrace/pipeline/stall_watch.h>
#include <millrace/training/logger.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace::apps {

/// `bar` on a terminal, `lines` elsewhere, `nothing` if quiet.
[[nodiscard]] Show how_to_show(bool quiet);
/// Standard error as a screen, for progress where standard output is for the result alone.
[[nodiscard]] Screen error_screen(bool quiet);

/// Reports on standard error, in one line, a run that has not moved for this many seconds; 0:
/// never.
[[nodiscard]] StallWatch stall_watch(double after_s);

/// A count that grows: "reading the folders: 12,000 files". Drawn on terminals only, at most 10
/// times a second; gone when destroyed.
class Counting {
 public:
  Counting(Screen screen, std::string text, std::string unit);
  ~Counting() { clear(); }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  void operator()(std::uint64_t count);
  /// Before something else is printed.
  void clear() { line_.clear(); }

 private:
  Screen screen_;
  StatusLine line_{screen_};
  std::string text_, unit_;
  Screen::Clock::time_point next_{};
};

/// Counts of one kind of work after another, from SessionWatch::on_work.
class WorkShown {
 public:
  explicit WorkShown(Screen screen) : screen_(std::move(screen)) {}
  void operator()(const std::string& what, const std::string& unit, std::uint64_t count);
  /// Before something else is printed.
  void clear() { counting_.reset(); }

 private:
  Screen screen_;
  std::string what_;
  std::optional<Counting> counting_;
};

/// What progress must know of a run.
struct RunSize {
  std::uint32_t epochs = 1;
  std::uint32_t training_steps = 0, validation_steps = 0;  ///< of an epoch
  std::int64_t batch = 1;
  bool tells_accuracy = true;  ///< the loss counts right answers
};

/// The progress of training: a line for the step, with the time that the run will still
/// take, and one for each epoch. On a terminal the first is redrawn; elsewhere it is printed
/// now and then, a minute after the start or the last line and later, in long runs, up to ten.
/// Lines of a terminal have what its width has room for.
class TrainingProgress {
 public:
  TrainingProgress(Screen screen, const RunSize& run);
  TrainingProgress(const TrainingProgress&) = delete;
  TrainingProgress& operator=(const TrainingProgress&) = delete;
  void step(const StepRecord& record);
  void epoch(const EpochRecord& record);
  /// Takes the line that is being drawn off the screen, before something else is printed.
  void finish() { line_.clear(); }

 private:
  using Time = Screen::Clock::time_point;
  [[nodiscard]] bool is_bar() const { return screen_.show == Show::bar; }
  [[nodiscard]] std::string epoch_of(std::uint32_t epoch) const;
  [[nodiscard]] std::string accuracy(const char* name, const nn::StepResult& result) const;
  [[nodiscard]] std::string step_line(const StepRecord& record) const;
  [[nodiscard]] std::vector<LinePart> epoch_parts(const EpochRecord& record) const;
  void print_pruning(const EpochRecord& record);
  void wait_for_next(Time now);

  Screen screen_;
  StatusLine line_{screen_};
  RunSize run_;
  TimeLeft left_;
  Time begin_, next_;
  std::string pruning_;  // the line of the epoch before
};

}  // namespace millrace::apps
