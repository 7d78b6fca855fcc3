#pragma once
// Reports a run that does not move any more: a reader that waits for a dead disk, a
// lease that never comes back.

#include <functional>
#include <string>

namespace millrace {

/// Off unless `after_s` is set. Nothing has moved when for so long no body returned, no part of an
/// item was begun (Context::begin_part) and nothing ended elsewhere.
struct StallWatch {
  double after_s = 0;  ///< seconds; 0: no watch. The report comes within a quarter of it.
  /// Gets one line: the stage that has been in a body for longest and its item, the pools without a
  /// free slot, and where the items are that hold them. Once a stall, on a thread of its own; must
  /// not throw. May be empty.
  std::function<void(const std::string& line)> tell{};
  /// Fails the run with that line. It still waits for bodies that do not return.
  bool ends_run = false;
};

}  // namespace millrace
