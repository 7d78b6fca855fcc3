#pragma once
// The threads that compute a step, and how OpenMP is told of them. A team shares work out in one of
// two ways. Alone, one thread does all of it, and where it calls oneDNN or an OpenMP loop, OpenMP
// starts the others. In parts, oneTBB's threads take whole pieces of work; each piece is one
// thread's, and a thread that has nothing to do takes a piece that nobody has begun.

#include <omp.h>

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

namespace millrace::cpu {

/// Sets how many threads OpenMP gives to the calling thread, for a scope. The number belongs to the
/// thread, so it is set where primitives are made and again where they run; oneDNN wants both to be
/// the same.
class ThreadScope {
 public:
  explicit ThreadScope(int threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  ~ThreadScope() { omp_set_num_threads(before_); }
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

/// Seconds that pass for what OpenMP runs on this thread: of one thread those that it computed, so
/// that whoever else wanted the core does not count.
inline double compute_time() {
  timespec time{};
  clock_gettime(omp_get_max_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

class Team {
 public:
  /// `parts`: that of oneTBB. With one thread both are the same.
  Team(int threads, bool parts)
      : threads_(threads),
        parts_(parts && threads > 1),
        // What computes goes before what reads and decodes for it.
        arena_(std::min(threads, oneapi::tbb::info::default_concurrency()), 1,
               oneapi::tbb::task_arena::priority::high) {}

  /// Calls body(i) for 0 <= i < count. Which thread does what is left open.
  template <class Body>
  void for_each(std::int64_t count, Body&& body) {
    if (!parts_) {
      const ThreadScope scope(threads_);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < count; ++i) body(i);
      return;
    }
    arena_.execute([&] {
      oneapi::tbb::parallel_for(
          std::int64_t{0}, count,
          [&](std::int64_t i) {
            const ThreadScope scope(1);
            body(i);
          },
          oneapi::tbb::simple_partitioner());
    });
  }

 private:
  int threads_;
  bool parts_;
  oneapi::tbb::task_arena arena_;
};

}  // namespace millrace::cpu
