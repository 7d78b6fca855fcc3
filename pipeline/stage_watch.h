#pragma once
// Called when the bodies of stages begin and end: for profilers that show ranges.

#include <string>

namespace millrace {

/// Called on the thread that runs the body. Thread-safe; must not throw.
class StageWatch {
 public:
  virtual ~StageWatch() = default;
  virtual void begin(const std::string& stage) noexcept = 0;
  /// Ends what this thread began last.
  virtual void end() noexcept = 0;
};

}  // namespace millrace
