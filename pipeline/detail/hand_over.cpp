#include <millrace/pipeline/detail/hand_over.h>

#include <utility>

namespace millrace::detail {

void HandOver::connect(HandsOver* stage, std::stop_token stop) {
  const std::scoped_lock lock(mutex_);
  stage_ = stage;
  stop_ = std::move(stop);
}

HandOver::Pushed HandOver::push(Message& message) {
  const std::scoped_lock lock(mutex_);
  if (is_left_) return Pushed::refused;
  waiting_.push_back(std::move(message));
  return std::exchange(loop_sleeps_, false) ? Pushed::loop_sleeps : Pushed::taken;
}

void HandOver::wake_loop() {
  changed_.notify_one();
}

void HandOver::finish(std::exception_ptr error) {
  {
    const std::scoped_lock lock(mutex_);
    error_ = std::move(error);
    is_finished_ = true;
    loop_sleeps_ = false;
  }
  changed_.notify_one();
}

Item* HandOver::next() {
  end_current();
  // What waits when a run is ending is dropped, as it is before every stage.
  while (at_ == taken_.size() || stop_of_taken_.stop_requested()) {
    drop_taken();
    wait_for_more();
    if (!taken_.empty()) continue;
    const std::scoped_lock lock(mutex_);  // finished
    if (error_) std::rethrow_exception(std::exchange(error_, {}));
    return nullptr;
  }
  has_current_ = true;
  stage_->begin_item(taken_[at_]);
  return &taken_[at_].item;
}

void HandOver::leave() {
  end_current();
  drop_taken();
  {
    const std::scoped_lock lock(mutex_);
    is_left_ = true;
    std::swap(taken_, waiting_);
  }
  drop_taken();
}

void HandOver::end_current() noexcept {
  if (std::exchange(has_current_, false)) stage_->end_item(std::move(taken_[at_++]));
}

void HandOver::drop_taken() noexcept {
  for (; at_ < taken_.size(); ++at_) stage_->drop_item(std::move(taken_[at_]));
  taken_.clear();
  at_ = 0;
}

bool HandOver::has_more() const noexcept {
  return !waiting_.empty() || is_finished_ || is_left_;
}

void HandOver::wait_for_more() {
  std::unique_lock lock(mutex_);
  while (!has_more()) {
    loop_sleeps_ = true;
    changed_.wait(lock);
  }
  loop_sleeps_ = false;
  std::swap(taken_, waiting_);
  stop_of_taken_ = stop_;
}

}  // namespace millrace::detail
