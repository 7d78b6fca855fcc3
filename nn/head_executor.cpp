#include <millrace/nn/head_executor.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <utility>

namespace millrace::nn {

HeadExecutor::HeadExecutor(Model whole, std::shared_ptr<Executor> head)
    : whole_(std::move(whole)), head_(std::move(head)) {
  const std::vector<Parameter> all = parameters(whole_), heads = parameters(head_->model());
  MILLRACE_CHECK(trainable_elements(all) == trainable_elements(heads),
                 "a front of which something trains is no front");
  trained_ = static_cast<std::size_t>(trainable_elements(all));
  all_ = static_cast<std::size_t>(arena_elements(all));
  front_size_ = all_ - static_cast<std::size_t>(arena_elements(heads));
}

Bytes HeadExecutor::front_bytes() const noexcept {
  return {front_size_ * sizeof(float)};
}

void HeadExecutor::allocate() {
  head_->allocate();
  front_.assign(front_size_, 0.0F);
}

void HeadExecutor::release() {
  head_->release();
  front_ = {};
}

void HeadExecutor::read(Arena arena, std::span<float> values) const {
  if (arena != Arena::parameters) return head_->read(arena, values);
  MILLRACE_CHECK(values.size() == all_, "an arena of ", all_, " elements, not ", values.size());
  const std::vector<float> heads = head_->read(arena);
  const auto middle = heads.begin() + static_cast<std::ptrdiff_t>(trained_);
  const auto fronts = std::copy(heads.begin(), middle, values.begin());
  std::copy(middle, heads.end(), std::copy(front_.begin(), front_.end(), fronts));
}

void HeadExecutor::write(Arena arena, std::span<const float> values) {
  if (arena != Arena::parameters) return head_->write(arena, values);
  MILLRACE_CHECK(values.size() == all_, "an arena of ", all_, " elements, not ", values.size());
  const std::span<const float> fronts = values.subspan(trained_, front_size_);
  const std::span<const float> rest = values.subspan(trained_ + front_size_);
  front_.assign(fronts.begin(), fronts.end());
  std::vector<float> heads(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(trained_));
  heads.insert(heads.end(), rest.begin(), rest.end());
  head_->write(arena, heads);
}

}  // namespace millrace::nn
