#pragma once
// Owned memory for pixels and tensors: aligned for vector units, optionally lent by an engine
// (pinned host memory, device memory). It is allocated once, before a run, and never grows.

#include <millrace/core/bytes.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <span>

namespace millrace {

/// A block of bytes with one owner. Move-only. Memory of the host is aligned to 64 bytes and
/// zeroed.
class Buffer {
 public:
  using Release = std::function<void(std::byte*)>;

  Buffer() = default;
  /// Host memory. Throws std::bad_alloc.
  explicit Buffer(Bytes size);
  /// Memory of another kind; `release` gives it back and must not throw.
  Buffer(std::byte* memory, Bytes size, Release release) noexcept;

  /// What a buffer of host memory of this size takes: whole cache lines.
  [[nodiscard]] static Bytes taken(Bytes size) noexcept;

  [[nodiscard]] std::byte* data() const noexcept { return memory_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }  ///< bytes
  template <class T>
  [[nodiscard]] std::span<T> as() const noexcept {
    return {reinterpret_cast<T*>(data()), size_ / sizeof(T)};
  }

 private:
  std::unique_ptr<std::byte, Release> memory_{nullptr, [](std::byte*) {}};
  std::size_t size_ = 0;
};

/// Rounds up to a multiple of `alignment`, a power of two.
[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t alignment) noexcept {
  return (n + alignment - 1) & ~(alignment - 1);
}

}  // namespace millrace
