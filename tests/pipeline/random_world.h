#pragma once
// What the bodies of a random graph share: delays, faults and somebody elsewhere.

#include "pipeline/random_graph.h"

#include <millrace/core/random.h>
#include <millrace/pipeline/pipeline.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace millrace::test {

/// The number of an item in its stream, and the leases that travel with it.
struct Thing {
  std::uint64_t number = 0;
  std::vector<Lease<int>> held{};
};

/// Another thread, which ends what was begun.
class Elsewhere {
 public:
  Elsewhere() : thread_([this](const std::stop_token& stop) { work(stop); }) {}
  [[nodiscard]] Completion begin(bool fails) {
    Promise promise;
    Completion completion = promise.completion();
    const std::scoped_lock lock(mutex_);
    begun_.emplace_back(std::move(promise), fails);
    ready_.notify_one();
    return completion;
  }

 private:
  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (ready_.wait(lock, stop, [this] { return !begun_.empty(); })) {
      auto [promise, fails] = std::move(begun_.front());
      begun_.pop_front();
      lock.unlock();
      Outcome outcome;
      if (fails) outcome.error = std::make_exception_ptr(Error("failed elsewhere"));
      promise.end(std::move(outcome));
      lock.lock();
    }
  }
  std::mutex mutex_;
  std::condition_variable_any ready_;
  std::deque<std::pair<Promise, bool>> begun_;
  std::jthread thread_;  // last: it ends before what it uses
};

/// What all bodies of a graph share.
struct World {
  std::uint64_t seed;
  std::atomic<std::uint64_t> fails_once_in{0};  // 0: never
  std::stop_source stop{};
  std::atomic<std::uint64_t> calls{0};
  std::uint64_t stops_at_call = 0;  // 0: never
  std::atomic<std::uint64_t> delivered{0};
  std::atomic<bool> out_of_order{false}, out_of_step{false};
  Elsewhere elsewhere{};

  /// Called by each body: delays, stops the run, fails.
  void at(std::uint64_t stage, std::uint64_t number) {
    const std::uint64_t call = ++calls;
    delay(seed + stage, number);
    if (call == stops_at_call) stop.request_stop();
    if (!fails_now(stage, number)) return;
    if (number % 3 == 0) throw std::bad_alloc();
    throw Error(concat("item ", number, " is bad"));
  }
  /// A function of stage, item and the count of tries, so that the order of calls decides nothing.
  [[nodiscard]] bool fails_now(std::uint64_t stage, std::uint64_t number) {
    if (fails_once_in == 0) return false;
    const std::uint64_t tries = [&] {
      const std::scoped_lock lock(mutex_);
      return ++tries_[{stage, number}];
    }();
    Random random(seed, static_cast<std::uint32_t>(stage), number << 8 | tries, Purpose::user);
    return random.below(fails_once_in) == 0;
  }

 private:
  std::mutex mutex_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> tries_;  // by stage and item
};

}  // namespace millrace::test
