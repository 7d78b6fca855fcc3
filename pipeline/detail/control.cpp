#include <millrace/pipeline/detail/control.h>

#include <algorithm>

namespace millrace::detail {

std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "unknown exception";
  }
}

void RunControl::fail(std::string_view stage, std::uint64_t item,
                      std::exception_ptr cause) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (!failure_) failure_ = Failure{stage, item, std::move(cause)};
  }
  stop_.request_stop();
}

void RunControl::note_skip(const std::string& stage, const std::string& what) {
  const std::scoped_lock lock(mutex_);
  const std::string reason = concat(stage, ": ", what);
  // What is bad is bad again in the next epoch.
  const bool is_known = std::find(skips_.begin(), skips_.end(), reason) != skips_.end();
  if (!is_known && skips_.size() < kKeptSkips) skips_.push_back(reason);
}

bool RunControl::has_failed() const {
  const std::scoped_lock lock(mutex_);
  return failure_.has_value();
}

void RunControl::rethrow() const {
  const std::scoped_lock lock(mutex_);
  if (!failure_) return;
  try {
    std::rethrow_exception(failure_->cause);
  } catch (...) {
    // Thrown from the handler, the StageError nests the cause.
    throw StageError(std::string(failure_->stage), failure_->item, message_of(failure_->cause));
  }
}

std::vector<std::string> RunControl::skips() const {
  const std::scoped_lock lock(mutex_);
  return skips_;
}

}  // namespace millrace::detail
