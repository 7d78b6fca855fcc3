#pragma once
// The threads that compute a step, and how OpenMP is set to use them. A team divides work in one of
// two ways. Alone, one thread does all of it, and where it calls oneDNN or an OpenMP loop, OpenMP
// starts the others. In slices, oneTBB's threads take whole pieces of work; each piece is one
// thread's, and a thread that has nothing to do takes a piece that nobody has begun. Either way
// denormal numbers are zero.

#include <omp.h>

#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cstdint>
#include <ctime>

#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace millrace::cpu {

/// Sets how many threads OpenMP gives to the calling thread, for a scope. The number belongs to the
/// thread, so it is set where primitives are made and again where they run; oneDNN needs both to be
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

/// Flushes denormal numbers, below 1.2e-38, to zero on this thread for a scope, where they are read
/// and where they are made. Gradients of what a model has learnt well and momenta that nothing
/// feeds any more become such numbers, and processors take a hundred times as long for them.
class FlushDenormals {
 public:
#ifdef __SSE2__
  FlushDenormals() : before_(_mm_getcsr()) {
    _mm_setcsr(before_ | kFlushToZero | kInputsAreZero);
  }
  ~FlushDenormals() {
    _mm_setcsr(before_);
  }

 private:
  static constexpr unsigned kFlushToZero = 0x8000, kInputsAreZero = 0x0040;
  unsigned before_;

 public:
#else
  FlushDenormals() {}  // not defaulted: it is there for its scope
#endif
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
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
  /// `slices`: that of oneTBB. With one thread both are the same.
  Team(int threads, bool slices)
      : threads_(threads),
        slices_(slices && threads > 1),
        // What computes goes before what reads and decodes for it.
        arena_(std::min(threads, oneapi::tbb::info::default_concurrency()), 1,
               oneapi::tbb::task_arena::priority::high) {}

  /// Calls body(i) for 0 <= i < count. Which thread does what is left open.
  template <class Body>
  void for_each(std::int64_t count, Body&& body) {
    if (!slices_) {
      const ThreadScope scope(threads_);
#pragma omp parallel for schedule(static)
      for (std::int64_t i = 0; i < count; ++i) {
        const FlushDenormals flush;
        body(i);
      }
      return;
    }
    arena_.execute([&] {
      oneapi::tbb::parallel_for(
          std::int64_t{0}, count,
          [&](std::int64_t i) {
            const ThreadScope scope(1);
            const FlushDenormals flush;
            body(i);
          },
          oneapi::tbb::simple_partitioner());
    });
  }

  /// Calls body() on this thread, with all threads for its OpenMP loops.
  template <class Body>
  void together(Body&& body) {
    const ThreadScope scope(threads_);
    const FlushDenormals flush;
#ifdef __SSE2__
    // oneDNN's regions run on threads that stay as they are.
    if (threads_ > 1) set_for_all(_mm_getcsr());
#endif
    body();
  }

 private:
#ifdef __SSE2__
  static void set_for_all(unsigned mode) {
#pragma omp parallel
    _mm_setcsr(mode);
  }
#endif

  int threads_;
  bool slices_;
  oneapi::tbb::task_arena arena_;
};

}  // namespace millrace::cpu
