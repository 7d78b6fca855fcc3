#include <millrace/core/buffer.h>

#include <cstring>
#include <new>

namespace millrace {
namespace {

constexpr std::size_t kAlignment = 64;

}  // namespace

Buffer::Buffer(Bytes size) : size_(static_cast<std::size_t>(size.count)) {
  if (size_ == 0) return;
  auto* const memory =
      static_cast<std::byte*>(::operator new (taken(size).count, std::align_val_t{kAlignment}));
  memory_ = {memory, [](std::byte* p) { ::operator delete (p, std::align_val_t{kAlignment}); }};
  std::memset(memory, 0, size_);
}

Bytes Buffer::taken(Bytes size) noexcept {
  return {round_up(size.count, kAlignment)};
}

Buffer::Buffer(std::byte* memory, Bytes size, Release release) noexcept
    : memory_(memory, std::move(release)), size_(static_cast<std::size_t>(size.count)) {}

}  // namespace millrace
