#pragma once
// How many threads OpenMP gives to the thread at hand. The number belongs to the calling thread, so
// it is set where primitives are made and again where they run; oneDNN wants both to be the same.

#include <omp.h>

namespace millrace::cpu {

/// Sets the number for a scope.
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

}  // namespace millrace::cpu
