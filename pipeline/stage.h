#pragma once
// What a stage of a pipeline is: its name, how many items it works on at a time, on which threads,
// in which order, and what happens when an item fails.

#include <millrace/core/error.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <stop_token>
#include <string>
#include <utility>

namespace millrace {

namespace detail {
class CallSlot;
}  // namespace detail

/// On which threads a stage runs.
enum class On {
  compute,   ///< oneTBB's workers. The body must not block.
  blocking,  ///< threads of the stage's own, as many as its concurrency. The body may wait.
  /// The one engine thread of the run, shared by all such stages of the same Stage::lane. The body
  /// may wait. A stage whose input is such a stage too works on each item right after it, before
  /// the next item begins, and also when the run is ending: what belongs to a step is done with it.
  engine,
};

/// In which order a stage of concurrency 1 sees its items. With more concurrency order has no
/// meaning.
enum class Order {
  source,  ///< the order in which the source emitted them
  any,     ///< as they come: nothing waits for a slow predecessor
};

/// What a stage does with an item whose body throws.
struct OnError {
  bool skips = false;         ///< false: the run fails
  std::uint64_t limit = 0;    ///< how many may be skipped before the run fails after all
  std::uint32_t retries = 0;  ///< how often the item is tried again before
};
[[nodiscard]] constexpr OnError fail() noexcept {
  return {};
}
[[nodiscard]] constexpr OnError skip(
    std::uint64_t limit = std::numeric_limits<std::uint64_t>::max()) noexcept {
  return {true, limit};
}
/// Up to `times` more calls with the same item, at once, then what `policy` says. Needs a sole
/// owner (see Pipeline::then), since a call that failed may have written half of its work. A body
/// that counts a part as skipped has not failed.
[[nodiscard]] constexpr OnError retry(std::uint32_t times, OnError policy = fail()) noexcept {
  policy.retries = times;
  return policy;
}

/// All threads of the pipeline, as a stage's concurrency.
inline constexpr int kAllThreads = 0;

/// Options of a stage. With concurrency n, up to n calls run at a time, each on a copy of the
/// callable of its own, so a node may keep scratch memory. State that items share needs concurrency
/// 1: a node that has such state says so with a member `static constexpr bool is_serial = true`.
struct Stage {
  std::string name{};
  int concurrency = 1;
  On on = On::compute;
  /// Which of the engine's threads, for On::engine alone: stages of the same name share one. Two
  /// models that train in one pipeline have a lane each, and do not wait for each other.
  std::string lane{};
  Order order = Order::source;
  OnError on_error = fail();
};

/// A place in the data of a source, counted in its items.
struct Position {
  std::uint64_t items = 0;  ///< how many items lie before it; 0: the beginning
};

/// A stage failed. what(): "<stage>: <cause>". The cause itself is nested (std::rethrow_if_nested).
class StageError : public Error, public std::nested_exception {
 public:
  StageError(std::string stage, std::uint64_t item, const std::string& cause)
      : Error(concat(stage, ": ", cause)), stage_(std::move(stage)), item_(item) {}
  [[nodiscard]] const std::string& stage() const noexcept { return stage_; }
  [[nodiscard]] std::uint64_t item() const noexcept { return item_; }  ///< its sequence number

 private:
  std::string stage_;
  std::uint64_t item_;
};

/// What a body can know of its call and report to the runtime: its optional second argument.
class Context {
 public:
  using Skip = std::function<void(const std::string&)>;
  /// `part` is where begin_part() leaves its number, plus 1; null: nowhere.
  Context(std::uint64_t sequence, std::stop_token stop, const Skip& skip,
          std::atomic<std::uint64_t>* part = nullptr)
      : sequence_(sequence), stop_(std::move(stop)), skip_(skip), part_(part) {}

  /// The item's number in the order of the source, from 0 in each run.
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
  /// True once the run is ending early; long bodies should then return soon, whatever they return.
  [[nodiscard]] bool is_stopping() const noexcept { return stop_.stop_requested(); }
  [[nodiscard]] const std::stop_token& stop_token() const noexcept { return stop_; }
  /// Says that a part of the item (one sample of many) cannot be used. Under skip() it is counted
  /// and reported and the body continues without it; under fail(), or over the limit, this throws
  /// Error.
  void skip(const std::string& what) { skip_(what); }
  /// Says which part of the item the body works on from now on, by a number below 2^64 - 1. Costs a
  /// store. If the run stalls, the StallWatch reports the part: the number, or what the node's
  /// `std::string part_name(std::uint64_t) const` makes of it, called from another thread.
  void begin_part(std::uint64_t part) noexcept {
    if (part_ != nullptr) part_->store(part + 1, std::memory_order_relaxed);
  }

 private:
  friend class detail::CallSlot;
  std::uint64_t sequence_;
  std::stop_token stop_;
  const Skip& skip_;
  std::atomic<std::uint64_t>* part_;
};

}  // namespace millrace
