#pragma once
// The end of a stream as a range, for programs that want to loop themselves:
//
//   for (const Group<Ticket>& batch : p.range(batches)) step(batch);
//
// With a stop token, of an Interrupt (interrupt.h) say, the loop ends when a stop is requested.

#include <millrace/pipeline/pipeline.h>

#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

namespace millrace {

namespace detail {

/// Hands one item at a time from the pipeline's sink to the loop and waits until the loop is done
/// with it.
template <class T>
class HandOver {
 public:
  /// Called by the sink: returns when the loop has moved on, or false when it has been left.
  bool offer(const T& item) {
    std::unique_lock lock(mutex_);
    item_ = &item;
    changed_.notify_all();
    changed_.wait(lock, [this] { return item_ == nullptr || is_left_; });
    item_ = nullptr;
    return !is_left_;
  }
  /// Called by the driver when the run is over.
  void finish(std::exception_ptr error) {
    const std::scoped_lock lock(mutex_);
    error_ = std::move(error);
    is_finished_ = true;
    changed_.notify_all();
  }
  /// Called by the loop: gives the item before back and waits for the next. Null at the end. Throws
  /// what the run threw.
  const T* next() {
    std::unique_lock lock(mutex_);
    // The first item may be on offer before the loop asks for it: that one is not given back.
    if (is_taken_) item_ = nullptr;
    changed_.notify_all();
    changed_.wait(lock, [this] { return item_ != nullptr || is_finished_; });
    is_taken_ = item_ != nullptr;
    if (item_ == nullptr && error_) std::rethrow_exception(std::exchange(error_, {}));
    return item_;
  }
  void leave() {
    const std::scoped_lock lock(mutex_);
    is_left_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  const T* item_ = nullptr;
  bool is_taken_ = false;  // the loop works on item_
  std::exception_ptr error_;
  bool is_finished_ = false;
  bool is_left_ = false;
};

}  // namespace detail

/// A single-pass range over the items of a stream. The run starts with begin(), on a driver thread
/// of its own. An item and the slots that it leases live until the next step of the iterator;
/// errors of the run are thrown there (StageError). A stop request ends the loop, and report() says
/// so as that of Pipeline::run() does. Leaving the loop early stops the run; the destructor drains
/// it and does not throw.
///
/// Thread safety: one thread loops. Move-only; whatever is asked of one that was moved from is a
/// UsageError.
template <class T>
class Range {
 public:
  class Iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    using pointer = const T*;
    using reference = const T&;

    Iterator() = default;
    const T& operator*() const { return *item_; }
    const T* operator->() const { return item_; }
    Iterator& operator++() {
      item_ = hand_over_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return it.item_ == nullptr;
    }

   private:
    friend class Range;
    explicit Iterator(detail::HandOver<T>* hand_over) : hand_over_(hand_over) { ++*this; }
    detail::HandOver<T>* hand_over_ = nullptr;
    const T* item_ = nullptr;
  };

  Range(Pipeline pipeline, std::shared_ptr<detail::HandOver<T>> hand_over, std::stop_token stop)
      : shared_(
            std::make_unique<Shared>(std::move(pipeline), std::move(hand_over), std::move(stop))) {}

  /// Starts the run. Requires: called once.
  [[nodiscard]] Iterator begin() {
    MILLRACE_CHECK(!shared().driver.joinable(), "a range can be iterated once");
    shared_->driver = std::thread([shared = shared_.get()] {
      std::exception_ptr error;
      try {
        shared->pipeline.run(shared->stop.get_token());
      } catch (...) {
        error = std::current_exception();
      }
      shared->hand_over.finish(error);
    });
    return Iterator(&shared_->hand_over);
  }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

  [[nodiscard]] Plan plan() const { return shared().pipeline.plan(); }
  /// Of the run. Ends it first if the loop was left early.
  [[nodiscard]] const Report& report() {
    shared().end();
    return shared_->pipeline.last_report();
  }

 private:
  struct Shared {
    Shared(Pipeline p, std::shared_ptr<detail::HandOver<T>> h, std::stop_token outside)
        : pipeline(std::move(p)),
          owned(std::move(h)),
          hand_over(*owned),
          on_stop(std::move(outside), [this] { stop.request_stop(); }) {}
    ~Shared() { end(); }
    void end() {
      stop.request_stop();
      hand_over.leave();
      if (driver.joinable()) driver.join();
    }
    Pipeline pipeline;
    std::shared_ptr<detail::HandOver<T>> owned;
    detail::HandOver<T>& hand_over;
    std::stop_source stop;
    std::stop_callback<std::function<void()>> on_stop;  // goes before what it stops
    std::thread driver;
  };
  [[nodiscard]] Shared& shared() const {
    if (shared_ != nullptr) return *shared_;
    throw UsageError("this range was moved from; loop over the one it was moved to");
  }
  std::unique_ptr<Shared> shared_;
};

template <class In>
Range<In> Pipeline::range(Stream<In> input, std::stop_token stop) {
  auto hand_over = std::make_shared<detail::HandOver<In>>();
  sink(input, {.name = "range", .on = On::blocking},
       [hand_over](const In& item) { hand_over->offer(item); });
  return Range<In>(Pipeline(state_), std::move(hand_over), std::move(stop));
}

}  // namespace millrace
