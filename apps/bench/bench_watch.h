#pragma once
// What a benchmark is at, on standard error, as standard output is for its result; and how it ends
// early.

#include "apps/common/progress.h"

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

namespace millrace::apps {

/// On a terminal a line that is drawn again; elsewhere a plain line for what takes long. A stop
/// request is answered at once, since a step of a large network takes seconds. Thread safety: none,
/// but the request may come on any thread.
class BenchWatch {
 public:
  BenchWatch(Screen screen, std::stop_token outside);
  BenchWatch(const BenchWatch&) = delete;
  BenchWatch& operator=(const BenchWatch&) = delete;

  /// What is measured from now on: "resnet50 at batch 32". `is_long`: it gets a plain line.
  void begin(std::string subject, bool is_long = false);
  /// "training steps": so many of all measurements are done. Throws Stopped.
  void at(const std::string& part, int done, int all);
  /// Throws Stopped.
  void check() const;
  /// For EngineChoice::on_timing, which may outlive this only if it is not called. Throws Stopped.
  [[nodiscard]] std::function<void(std::uint64_t)> on_timing();
  /// Requested once the request from outside has been answered.
  [[nodiscard]] std::stop_token stop() const noexcept { return stop_.get_token(); }
  /// Before something else is printed.
  void clear() { work_.clear(); }

 private:
  Screen screen_;
  WorkShown work_{screen_};
  std::string subject_;
  std::stop_source stop_;
  std::stop_callback<std::function<void()>> on_stop_;  // goes before what it stops
};

/// Runs a benchmark, which Ctrl-C ends with a message. Returns the exit status.
[[nodiscard]] int stoppable(const std::function<void(BenchWatch&)>& benchmark);

}  // namespace millrace::apps
