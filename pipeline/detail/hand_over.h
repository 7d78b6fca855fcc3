#pragma once
// From a pipeline that runs to a loop outside of it: the items of a range, without their type.
//
// Items wait here as they wait before any stage, with their slots, so there are never more of them
// than the pools allow. The loop takes all that wait at once, and gives each back when it moves on:
// so a switch of threads is paid once for several items.

#include <millrace/pipeline/detail/message.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <vector>

namespace millrace::detail {

/// The stage that hands items over; it learns on the thread of the loop what becomes of them, and
/// lives until the last of its items has returned.
class HandsOver {
 public:
  virtual ~HandsOver() = default;
  virtual void begin_item(const Message& message) noexcept = 0;
  virtual void end_item(Message message) noexcept = 0;   ///< the loop has moved on
  virtual void drop_item(Message message) noexcept = 0;  ///< the loop never had it
};

/// push() and the rest may be called by different threads at a time; next() and leave() are for the
/// one that loops, connect() and finish() for the one that runs.
class HandOver {
 public:
  /// The loop begins; only then may the pipeline run.
  void begin() noexcept { has_begun_ = true; }
  [[nodiscard]] bool has_begun() const noexcept { return has_begun_; }
  /// A run begins. `stop`: whether it is ending.
  void connect(HandsOver* stage, std::stop_token stop);
  enum class Pushed {
    refused,      ///< the loop was left: the message is as it was
    taken,        ///< the loop is awake, or about to be woken
    loop_sleeps,  ///< taken, and wake_loop() must follow, after more items if there are any
  };
  [[nodiscard]] Pushed push(Message& message);
  void wake_loop();
  /// The run is over.
  void finish(std::exception_ptr error);

  /// Gives the item before back and waits for the next one. Null at the end, and once the run is
  /// ending. Throws what the run threw, once.
  [[nodiscard]] Item* next();
  /// Gives back what there is; nothing comes any more.
  void leave();

 private:
  void end_current() noexcept;
  void drop_taken() noexcept;
  void wait_for_more();
  [[nodiscard]] bool has_more() const noexcept;  // requires mutex_

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Message> waiting_;
  HandsOver* stage_ = nullptr;
  std::stop_token stop_;
  std::exception_ptr error_;
  bool is_finished_ = false, is_left_ = false;
  bool loop_sleeps_ = false;  // and is not about to be woken
  std::atomic<bool> has_begun_{false};

  // Of the loop alone.
  std::vector<Message> taken_;
  std::size_t at_ = 0;
  bool has_current_ = false;
  std::stop_token stop_of_taken_;
};

}  // namespace millrace::detail
