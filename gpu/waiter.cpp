#include <millrace/gpu/waiter.h>

#include <millrace/core/error.h>

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

struct Awaited {
  const Event* end;
  const Event* begin;
  std::string what;
  Promise promise;
};

Outcome failed(const std::string& message) {
  return {.error = std::make_exception_ptr(Error(message))};
}

}  // namespace

// Both threads own it too: one that is stuck in the driver must not see it go.
struct Waiter::Shared {
  std::shared_ptr<Device> device;
  Seconds patience{};

  std::mutex mutex;  // guards the rest
  std::condition_variable changed;
  std::deque<Awaited> queue;  // the first one is being waited for while `since` is set
  std::optional<Clock::time_point> since;
  std::uint64_t turn = 0;    // how many were waited for, to tell the first one from its successor
  std::string lost;          // what the device failed to answer; then the watch ends the promises
  bool all_ended = false;    // after `lost`: the queue is empty for good
  bool closing = false;      // nothing more is added
  bool waiter_left = false;  // the waiting thread touches the device no more
  std::thread waiting, watching;

  void wait_for_events();
  void watch();
  void end_all(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] Outcome outcome_of(const Awaited& awaited, std::exception_ptr error) const;
};

void Waiter::Shared::wait_for_events() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [this] { return !queue.empty() || closing; });
    if (queue.empty()) break;
    const Event& end = *queue.front().end;
    since = Clock::now();
    ++turn;
    changed.notify_all();
    lock.unlock();
    std::exception_ptr error;
    try {
      device->synchronize(end);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (!lost.empty()) break;  // too late: its promise has ended, and the events may be gone
    since.reset();
    Awaited passed = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    passed.promise.end(outcome_of(passed, error));
    lock.lock();
  }
  waiter_left = true;
  changed.notify_all();
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

void Waiter::Shared::watch() {
  std::unique_lock lock(mutex);
  const auto nothing_left = [this] { return waiter_left; };
  while (!nothing_left()) {
    if (!since) {
      changed.wait(lock, [&] { return since || nothing_left(); });
      continue;
    }
    const std::uint64_t watched = turn;
    const auto deadline = *since + std::chrono::duration_cast<Clock::duration>(patience);
    const bool passed = changed.wait_until(
        lock, deadline, [&] { return !since || turn != watched || nothing_left(); });
    if (passed) continue;
    lost = concat("gpu: ", queue.front().what, " did not end within ", patience.count(),
                  " s: the device does not answer");
    end_all(lock);
    return;
  }
}

// The order of the promises is kept: what is added meanwhile waits in the queue for its turn.
void Waiter::Shared::end_all(std::unique_lock<std::mutex>& lock) {
  while (!queue.empty()) {
    Awaited awaited = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    awaited.promise.end(failed(lost));
    lock.lock();
  }
  all_ended = true;
}

Waiter::Waiter(std::shared_ptr<Device> device, Seconds patience)
    : shared_(std::make_shared<Shared>()) {
  shared_->device = std::move(device);
  shared_->patience = patience;
  shared_->waiting = std::thread([shared = shared_] { shared->wait_for_events(); });
  shared_->watching = std::thread([shared = shared_] { shared->watch(); });
}

Waiter::~Waiter() {
  Shared& shared = *shared_;
  {
    const std::scoped_lock lock(shared.mutex);
    shared.closing = true;
  }
  shared.changed.notify_all();
  // A continuation may drop the last reference to the engine: no thread can join itself.
  const auto self = std::this_thread::get_id();
  if (self == shared.waiting.get_id() || self == shared.watching.get_id()) {
    shared.waiting.detach();
    shared.watching.detach();
    return;
  }
  shared.watching.join();
  bool is_stuck = false;
  {
    const std::scoped_lock lock(shared.mutex);
    is_stuck = !shared.waiter_left;
  }
  if (is_stuck) {
    shared.waiting.detach();
  } else {
    shared.waiting.join();
  }
}

Completion Waiter::when_passed(const Event& end, const Event* begin, std::string what) {
  Promise promise;
  Completion completion = promise.completion();
  {
    const std::scoped_lock lock(shared_->mutex);
    if (!shared_->all_ended) {
      shared_->queue.push_back({&end, begin, std::move(what), std::move(promise)});
      shared_->changed.notify_all();
      return completion;
    }
  }
  promise.end(failed(shared_->lost));
  return completion;
}

}  // namespace millrace::gpu
