#pragma once
// Chooses the fastest of several ways to do an operation by timing them. A way is a kernel with the
// conversions that it needs, so that a layout that its neighbours do not share counts.

#include <millrace/core/bytes.h>
#include <millrace/cpu/onednn.h>
#include <millrace/cpu/program.h>
#include <millrace/cpu/timings.h>
#include <millrace/nn/engine.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace millrace::cpu {

/// A kernel of this engine's own that does what one of oneDNN's does, with the same arguments.
struct OwnKernel {
  std::string implementation;
  std::vector<std::pair<int, onednn::Layout>> layouts;  ///< of its arguments
  onednn::Layout scratch;
  Loop loop;  ///< gets the memory of its arguments, in the order of Way::arguments, then scratch
};

struct Way {
  std::variant<onednn::Kernel, OwnKernel> kernel;
  std::vector<int> arguments{};  ///< that the kernel reads and writes
  /// From, to: reorders that this way makes necessary, of the kernel's arguments or results.
  std::vector<std::pair<onednn::Layout, onednn::Layout>> conversions{};
  std::string name{};  ///< tells ways of an operation apart; the same on every run

  /// As onednn::Kernel has them.
  [[nodiscard]] onednn::Layout at(int argument) const;
  [[nodiscard]] std::string implementation() const;
  [[nodiscard]] bool is_reference() const;
};

/// Whether there will be so many steps that timing the ways of their operations is worth its time.
[[nodiscard]] bool pays_to_time(const nn::CompileOptions& options) noexcept;

class Tuner {
 public:
  /// `on_timing` gets the number of operations timed so far, before each one.
  Tuner(std::shared_ptr<Timings> timings, std::function<void(std::uint64_t)> on_timing)
      : timings_(std::move(timings)), on_timing_(std::move(on_timing)) {}

  /// Index of the fastest way, by the times that are kept or, if `may_time`, taken now: on this
  /// thread, with the number of threads that OpenMP gives it, in memory that is given back. What is
  /// at most 5 % slower than the fastest counts as fast as it, and the first of those is taken.
  /// Without times: the first. `ways` is not empty.
  [[nodiscard]] std::size_t fastest(const dnnl::engine& engine, const std::string& operation,
                                    const std::vector<Way>& ways, bool may_time);
  /// Of how many operations it took the first way without a time, since the last call; those
  /// that shall have none do not count.
  [[nodiscard]] std::uint64_t take_guesses() { return std::exchange(guesses_, 0); }

 private:
  std::shared_ptr<Timings> timings_;
  std::function<void(std::uint64_t)> on_timing_;
  std::uint64_t timed_ = 0, guesses_ = 0;
};

}  // namespace millrace::cpu
