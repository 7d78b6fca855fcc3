#include <millrace/gpu/resident.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace millrace::gpu {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{4} << 20;  // bytes that are copied at a time

}  // namespace

ResidentMemory::ResidentMemory(std::shared_ptr<Context> context, const Shape& sample, DType pixels,
                               std::int64_t samples)
    : context_(std::move(context)), sample_(sample), pixels_(pixels), samples_(samples) {
  if (pixels != DType::u8 && pixels != DType::f32) {
    throw Error(
        concat("gpu: pixels of type ", to_string(pixels), " cannot stay there; u8 and f32 can"));
  }
  if (samples < 1 || samples > std::numeric_limits<std::uint32_t>::max()) {
    throw Error(concat("gpu: ", samples, " samples cannot stay there; 1 to 4294967295 can"));
  }
}

std::uint64_t ResidentMemory::sample_bytes() const {
  return static_cast<std::uint64_t>(sample_.elements()) * size_of(pixels_);
}

Bytes ResidentMemory::bytes() const {
  return Bytes{static_cast<std::uint64_t>(samples_) * sample_bytes()};
}

void ResidentMemory::allocate() {
  if (memory_.size() > 0) return;
  Device& device = *context_->device;
  Buffer memory = device.allocate(bytes(), "resident pixels");
  staging_ = device.allocate_pinned(Bytes{std::min(kPiece, bytes().count)});
  copied_ = device.make_event(false);
  memory_ = std::move(memory);
}

void ResidentMemory::write(std::int64_t first, ConstTensorView pixels) {
  MILLRACE_CHECK(memory_.size() > 0, "allocate() comes before write()");
  const std::int64_t count = pixels.shape.rank() == 0 ? 0 : pixels.shape[0];
  if (pixels.dtype != pixels_ || pixels.shape != sample_.with_front(count)) {
    throw Error(concat("gpu: ", to_string(pixels.dtype), " ", pixels.shape,
                       " are no resident samples of ", to_string(pixels_), " ", sample_));
  }
  if (first < 0 || count > samples_ - first) {
    throw Error(
        concat("gpu: ", count, " samples from ", first, " on, where ", samples_, " are resident"));
  }
  std::byte* const to = memory_.data() + static_cast<std::uint64_t>(first) * sample_bytes();
  const std::uint64_t bytes = static_cast<std::uint64_t>(count) * sample_bytes();
  for (std::uint64_t done = 0; done < bytes; done += staging_.size()) {
    copy(to + done, pixels.data + done, std::min<std::uint64_t>(staging_.size(), bytes - done));
  }
}

void ResidentMemory::copy(std::byte* to, const std::byte* from, std::uint64_t bytes) {
  std::memcpy(staging_.data(), from, bytes);
  Device& device = *context_->device;
  {
    const std::scoped_lock lock(context_->copies_mutex);
    device.copy(*context_->copies, to, staging_.data(), Bytes{bytes}, Device::Copy::to_device);
    device.record(*copied_, *context_->copies);
  }
  context_->waiter.wait(*copied_, "a copy of resident samples", Waiter::Line::copies);
}

}  // namespace millrace::gpu
