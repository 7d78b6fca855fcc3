#include <millrace/io/large_images.h>

#include <millrace/core/error.h>

#include <utility>

namespace millrace {

SharedBytes::Turn::Turn(Turn&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), bytes_(std::exchange(other.bytes_, Bytes{})) {}

SharedBytes::Turn& SharedBytes::Turn::operator=(Turn&& other) noexcept {
  if (this == &other) return *this;
  if (owner_ != nullptr) owner_->give_back(bytes_);
  owner_ = std::exchange(other.owner_, nullptr);
  bytes_ = std::exchange(other.bytes_, Bytes{});
  return *this;
}

SharedBytes::Turn::~Turn() {
  if (owner_ != nullptr) owner_->give_back(bytes_);
}

SharedBytes::Turn SharedBytes::take(Bytes bytes) {
  MILLRACE_CHECK(bytes <= all_, "more is asked for than there is");
  std::unique_lock lock(mutex_);
  const std::uint64_t place = asked_++;
  changed_.wait(lock, [&] { return served_ == place && bytes <= free_; });
  ++served_;
  free_ = Bytes{free_.count - bytes.count};
  changed_.notify_all();  // the next may fit beside this one
  return {*this, bytes};
}

std::uint64_t SharedBytes::waiting() const {
  const std::scoped_lock lock(mutex_);
  return asked_ - served_;
}

void SharedBytes::give_back(Bytes bytes) noexcept {
  const std::scoped_lock lock(mutex_);
  free_ += bytes;
  changed_.notify_all();
}

}  // namespace millrace
