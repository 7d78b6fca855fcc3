#pragma once
// A call of a body that can be under way in a stage: what it is given, and what other threads may
// know of it.

#include <millrace/pipeline/detail/counters.h>
#include <millrace/pipeline/detail/spec.h>
#include <millrace/pipeline/stage_watch.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

namespace millrace::detail {

/// A call that is under way.
struct CallView {
  Clock::time_point since;
  std::uint64_t item = 0;
  std::string part{};  // empty: nothing is known
};

/// begin() and end() are for the thread that calls; the rest is for any thread. On a cache line of
/// its own, since concurrent calls write theirs at each item.
class alignas(64) CallSlot {
 public:
  CallSlot(std::stop_token stop, Context::Skip skip, std::unique_ptr<Body> made = nullptr)
      : body(std::move(made)), skip_(std::move(skip)), context(0, std::move(stop), skip_, &part_) {}
  CallSlot(const CallSlot&) = delete;
  CallSlot& operator=(const CallSlot&) = delete;

  const std::unique_ptr<Body> body;  // of stages; a source has its own

 private:
  const Context::Skip skip_;
  std::atomic<Clock::rep> since_{0};  // 0: no call is under way
  std::atomic<std::uint64_t> item_{0}, part_{0};

 public:
  Context context;

  void begin(std::uint64_t item, Clock::time_point now) noexcept {
    context.sequence_ = item;
    item_.store(item, std::memory_order_relaxed);
    part_.store(0, std::memory_order_relaxed);
    since_.store(now.time_since_epoch().count(), std::memory_order_release);
  }
  void end() noexcept { since_.store(0, std::memory_order_release); }

  [[nodiscard]] std::uint64_t movement() const noexcept {
    return static_cast<std::uint64_t>(since_.load(std::memory_order_relaxed)) +
           part_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::optional<CallView> view() const {
    const Clock::rep since = since_.load(std::memory_order_acquire);
    if (since == 0) return std::nullopt;
    CallView view{Clock::time_point(Clock::duration(since)), item_.load()};
    const std::uint64_t part = part_.load();
    if (part == 0) return view;
    if (body != nullptr) view.part = body->part_name(part - 1);
    if (view.part.empty()) view.part = "part " + std::to_string(part - 1);
    return view;
  }
};

/// Tells the watcher of a run, if there is one, of a call of a body.
class Watched {
 public:
  Watched(StageWatch* watch, const std::string& stage) noexcept : watch_(watch) {
    if (watch_ != nullptr) watch_->begin(stage);
  }
  ~Watched() {
    if (watch_ != nullptr) watch_->end();
  }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  StageWatch* watch_;
};

}  // namespace millrace::detail
