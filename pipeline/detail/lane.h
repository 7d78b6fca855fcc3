#pragma once
// Threads of a stage's own, for bodies that block or that must stay on one thread.

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::detail {

/// A first-in-first-out queue of jobs and the threads that run them. The queue is bounded by
/// the caller: each job holds a lease of some pool. Jobs must not throw. The destructor runs
/// what is queued.
class Lane {
 public:
  explicit Lane(int threads);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void post(std::function<void()> job);

 private:
  void work();
  void close();  // lets the threads finish the queue and joins them

  std::mutex mutex_;  // guards jobs_ and is_closing_
  std::condition_variable ready_;
  std::deque<std::function<void()>> jobs_;
  bool is_closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::detail
