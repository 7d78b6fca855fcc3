#pragma once
// How a session reports its work before it trains or measures, and how it is stopped there.

#include <millrace/io/watch.h>
#include <millrace/pipeline/stall_watch.h>

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>

namespace millrace {

/// Functions may be empty. They are called on the thread that works; none of them may throw.
struct SessionWatch {
  /// Work that takes long: what is done ("reading PHOTOS"), what is counted ("files"), and how many
  /// there are so far.
  std::function<void(const std::string& what, const std::string& unit, std::uint64_t count)>
      on_work{};
  /// A line that should be known and is no error: files that were left out, algorithms that go with
  /// a run.
  std::function<void(const std::string& line)> on_note{};
  /// A line about a problem that does not stop the work: a file that cannot be read.
  std::function<void(const std::string& line)> on_warning{};
  /// A line about a run that does not move any more (StallWatch).
  std::function<void(const std::string& line)> on_stall{};
  /// Ends it: Stopped is thrown.
  std::stop_token stop{};

  [[nodiscard]] Watch of_work(std::string what, std::string unit) const;
  void note(const std::string& line) const;
  void warn(const std::string& line) const;
  [[nodiscard]] StallWatch stall(double after_s) const { return {after_s, on_stall}; }
};

}  // namespace millrace
