#include <millrace/gpu/waiter.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace millrace::gpu {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kLines = 3;

struct Awaited {
  const Event* end;
  const Event* begin;
  std::string what;
  Promise promise;
};

struct Queue {
  std::condition_variable added;
  std::deque<Awaited> awaited;  // the first one is being waited for while `since` is set
  std::optional<Clock::time_point> since;
  bool has_left = false;  // the thread touches the device no more
  std::thread thread;
};

Outcome failed(const std::string& message) {
  return {.error = std::make_exception_ptr(Error(message))};
}

}  // namespace

// All threads own it too: one that is stuck in the driver must not see it go.
struct Waiter::Shared {
  std::shared_ptr<Device> device;
  Seconds patience{};

  std::mutex mutex;  // guards the rest
  std::array<Queue, kLines> queues;
  std::condition_variable watch_this;
  std::string lost;        // what the device failed to answer; then the watch ends the promises
  bool all_ended = false;  // after `lost`: the queues are empty for good
  bool closing = false;    // nothing more is added
  bool watch_is_idle = false;
  std::thread watching;

  void wait_for_events(Queue& queue);
  void watch();
  void lose(std::unique_lock<std::mutex>& lock, Queue& stuck);
  [[nodiscard]] Queue* any_with_promises();
  [[nodiscard]] Queue* longest_waiting();
  [[nodiscard]] Outcome outcome_of(const Awaited& awaited, std::exception_ptr error) const;
  [[nodiscard]] bool is_stuck(const Queue& queue) {
    const std::scoped_lock lock(mutex);
    return queue.since && !queue.has_left;
  }
  [[nodiscard]] bool all_have_left() const {
    return std::ranges::all_of(queues, [](const Queue& queue) { return queue.has_left; });
  }
};

void Waiter::Shared::wait_for_events(Queue& queue) {
  std::unique_lock lock(mutex);
  for (;;) {
    queue.added.wait(lock, [&] { return !queue.awaited.empty() || closing; });
    if (queue.awaited.empty() || !lost.empty()) break;
    const Event& end = *queue.awaited.front().end;
    queue.since = Clock::now();
    if (watch_is_idle) watch_this.notify_all();  // else it wakes early enough
    lock.unlock();
    std::exception_ptr error;
    try {
      device->synchronize(end);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (!lost.empty()) break;  // too late: its promise has ended, and the events may be gone
    queue.since.reset();
    Awaited passed = std::move(queue.awaited.front());
    queue.awaited.pop_front();
    lock.unlock();
    passed.promise.end(outcome_of(passed, error));
    lock.lock();
  }
  queue.has_left = true;
  watch_this.notify_all();
}

Outcome Waiter::Shared::outcome_of(const Awaited& awaited, std::exception_ptr error) const {
  try {
    if (error) std::rethrow_exception(error);
    if (awaited.begin == nullptr) return {};
    return {.device_s = device->seconds_between(*awaited.begin, *awaited.end)};
  } catch (const std::exception& cause) {
    return failed(concat("gpu: ", awaited.what, ": ", cause.what()));
  }
}

/// Null if nobody waits.
Queue* Waiter::Shared::longest_waiting() {
  Queue* longest = nullptr;
  for (Queue& queue : queues) {
    if (queue.since && (longest == nullptr || *queue.since < *longest->since)) longest = &queue;
  }
  return longest;
}

void Waiter::Shared::watch() {
  std::unique_lock lock(mutex);
  while (!all_have_left()) {
    Queue* const longest = longest_waiting();
    if (longest == nullptr) {
      watch_is_idle = true;
      watch_this.wait(lock);
      watch_is_idle = false;
      continue;
    }
    const auto deadline = *longest->since + std::chrono::duration_cast<Clock::duration>(patience);
    if (Clock::now() < deadline) {
      watch_this.wait_until(lock, deadline);
      continue;
    }
    return lose(lock, *longest);
  }
}

// The promises of the line that is stuck end first, since they tell where. In each line the order
// is kept: what is added meanwhile waits in its queue for its turn.
void Waiter::Shared::lose(std::unique_lock<std::mutex>& lock, Queue& stuck) {
  lost = concat("gpu: ", stuck.awaited.front().what, " did not end within ", patience.count(),
                " s: the device does not answer");
  device->abandon();
  for (Queue* queue = &stuck; queue != nullptr; queue = any_with_promises()) {
    while (!queue->awaited.empty()) {
      Awaited awaited = std::move(queue->awaited.front());
      queue->awaited.pop_front();
      lock.unlock();
      awaited.promise.end(failed(lost));
      lock.lock();
    }
  }
  all_ended = true;
}

Queue* Waiter::Shared::any_with_promises() {
  const auto any =
      std::ranges::find_if(queues, [](const Queue& queue) { return !queue.awaited.empty(); });
  return any == queues.end() ? nullptr : &*any;
}

Waiter::Waiter(std::shared_ptr<Device> device, Seconds patience)
    : shared_(std::make_shared<Shared>()) {
  shared_->device = std::move(device);
  shared_->patience = patience;
  for (Queue& queue : shared_->queues) {
    queue.thread = std::thread([shared = shared_, &queue] { shared->wait_for_events(queue); });
  }
  shared_->watching = std::thread([shared = shared_] { shared->watch(); });
}

Waiter::~Waiter() {
  Shared& shared = *shared_;
  {
    const std::scoped_lock lock(shared.mutex);
    shared.closing = true;
  }
  for (Queue& queue : shared.queues) queue.added.notify_all();
  // A continuation may drop the last reference to the engine: no thread can join itself.
  const auto self = std::this_thread::get_id();
  const bool is_own = self == shared.watching.get_id() ||
                      std::ranges::any_of(shared.queues, [self](const Queue& queue) {
                        return queue.thread.get_id() == self;
                      });
  if (is_own) {
    shared.watching.detach();
  } else {
    shared.watching.join();
  }
  for (Queue& queue : shared.queues) {
    if (is_own || shared.is_stuck(queue)) {
      queue.thread.detach();
    } else {
      queue.thread.join();
    }
  }
}

Completion Waiter::when_passed(const Event& end, const Event* begin, std::string what, Line line) {
  Promise promise;
  Completion completion = promise.completion();
  {
    const std::scoped_lock lock(shared_->mutex);
    if (!shared_->all_ended) {
      Queue& queue = shared_->queues.at(static_cast<std::size_t>(line));
      queue.awaited.push_back({&end, begin, std::move(what), std::move(promise)});
      queue.added.notify_one();
      return completion;
    }
  }
  promise.end(failed(shared_->lost));
  return completion;
}

void Waiter::wait(const Event& end, std::string what, Line line) {
  (void)when_passed(end, nullptr, std::move(what), line).wait();
}

}  // namespace millrace::gpu
