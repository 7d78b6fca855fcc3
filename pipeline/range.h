#pragma once
// The end of a stream as a range, for programs with their own loop:
//
//   for (const Group<Ticket>& batch : p.range(batches)) step(batch);
//
// With a stop token, such as an Interrupt's (interrupt.h), the loop ends when a stop is requested.

#include <millrace/pipeline/detail/hand_over.h>
#include <millrace/pipeline/pipeline.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <stop_token>
#include <thread>

namespace millrace {

/// A single-pass range over the items of a stream, a std::ranges::input_range. The run starts with
/// begin(), on a driver thread of its own. An item and the slots that it leases live until the next
/// step of the iterator; items that wait for the loop hold theirs too. Errors of the run are thrown
/// by the next step (StageError). A stop request ends the loop, and report() says so as that of
/// Pipeline::run() does. Leaving the loop early stops the run; the destructor drains it and does
/// not throw. Where to resume, StageReport::next, counts the items that the loop was given. In the
/// report the loop is the stage 'range', busy while it has an item; a StageWatch does not see it.
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
      detail::Item* const item = hand_over_->next();
      item_ = item == nullptr ? nullptr : &item->get<T>();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& it, std::default_sentinel_t) {
      return it.item_ == nullptr;
    }

   private:
    friend class Range;
    explicit Iterator(detail::HandOver* hand_over) : hand_over_(hand_over) { ++*this; }
    detail::HandOver* hand_over_ = nullptr;
    const T* item_ = nullptr;
  };

  Range(Pipeline pipeline, std::shared_ptr<detail::HandOver> hand_over, std::stop_token stop)
      : shared_(
            std::make_unique<Shared>(std::move(pipeline), std::move(hand_over), std::move(stop))) {}

  /// Starts the run. Requires: called once.
  [[nodiscard]] Iterator begin() {
    MILLRACE_CHECK(!shared().hand_over->has_begun(), "a range can be iterated once");
    shared_->hand_over->begin();
    shared_->driver = std::thread([shared = shared_.get()] {
      std::exception_ptr error;
      try {
        shared->pipeline.run(shared->stop.get_token());
      } catch (...) {
        error = std::current_exception();
      }
      shared->hand_over->finish(error);
    });
    return Iterator(shared_->hand_over.get());
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
    Shared(Pipeline p, std::shared_ptr<detail::HandOver> h, std::stop_token outside)
        : pipeline(std::move(p)),
          hand_over(std::move(h)),
          on_stop(std::move(outside), [this] { stop.request_stop(); }) {}
    ~Shared() { end(); }
    void end() {
      stop.request_stop();
      hand_over->leave();
      if (driver.joinable()) driver.join();
    }
    Pipeline pipeline;
    std::shared_ptr<detail::HandOver> hand_over;
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
  detail::StageSpec spec;
  spec.hand_over = std::make_shared<detail::HandOver>();
  auto hand_over = spec.hand_over;
  add(Kind::sink, {.name = "range"}, {input.end_}, std::move(spec));
  return Range<In>(Pipeline(state_), std::move(hand_over), std::move(stop));
}

}  // namespace millrace
