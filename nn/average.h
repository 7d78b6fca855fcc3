#pragma once
// The guard within which an executor computes with averages of its weights.

#include <millrace/nn/engine.h>

#include <exception>

namespace millrace::nn {

/// While it lives, averages stand where the weights do, so that the executor evaluates, predicts
/// and is read with them. Nothing happens where none are kept, or within another of its kind.
/// Thread safety: the executor's.
class AverageScope {
 public:
  /// Throws what swap_average() throws.
  explicit AverageScope(Executor& executor)
      : executor_(executor.keeps_average() && !executor.is_swapped() ? &executor : nullptr) {
    if (executor_ != nullptr) executor_->swap_average();
  }
  ~AverageScope() {
    try {
      if (executor_ != nullptr) executor_->swap_average();
    } catch (const std::exception&) {  // the device has failed; the executor refuses to train on
    }
  }
  AverageScope(const AverageScope&) = delete;
  AverageScope& operator=(const AverageScope&) = delete;

 private:
  Executor* executor_;
};

}  // namespace millrace::nn
