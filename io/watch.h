#pragma once
// How a long operation on files is watched and stopped from outside.

#include <millrace/core/error.h>

#include <cstdint>
#include <functional>
#include <stop_token>

namespace millrace {

/// Thrown by an operation that was asked to stop.
class Stopped : public Error {
 public:
  using Error::Error;
};

/// Given to operations that take long. Both members may be left empty.
struct Watch {
  std::function<void(std::uint64_t done)> progress;  ///< called by the working thread now and then
  std::stop_token stop;

  /// For the operation: reports `done` items, throws Stopped if the work shall end.
  void at(std::uint64_t done) const {
    if (stop.stop_requested()) throw Stopped("stopped on request");
    if (progress) progress(done);
  }
};

}  // namespace millrace
