#pragma once
// The recording device's memory: host memory with exact accounting, and a record of which bytes
// were ever written.

#include <millrace/core/bytes.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace millrace::gpu::recording {

/// Addresses [begin, end) without overlap.
class Intervals {
 public:
  void add(std::uintptr_t begin, std::uintptr_t end);
  [[nodiscard]] bool meets(std::uintptr_t begin, std::uintptr_t end) const;  ///< some byte of it

 private:
  std::map<std::uintptr_t, std::uintptr_t> ends_;
};

struct Allocation {
  std::uintptr_t begin = 0;
  std::size_t bytes = 0;
  std::string what{};
  bool pinned = false;
  Intervals written{};
};

/// Thread safety: none.
class Allocations {
 public:
  /// Device memory is filled with 0xFF, pinned memory with zeros; aligned to 256 bytes.
  [[nodiscard]] std::byte* add(Bytes size, const char* what, bool pinned);
  void remove(std::byte* memory);

  /// The allocation that holds all these bytes, or null.
  [[nodiscard]] Allocation* find(const void* begin, std::size_t bytes);
  /// "activations + 128".
  [[nodiscard]] std::string place(const void* at) const;
  [[nodiscard]] Bytes device_bytes() const { return device_; }
  [[nodiscard]] Bytes pinned_bytes() const { return pinned_; }

 private:
  std::map<std::uintptr_t, Allocation> allocations_;  // by their begin
  Bytes device_, pinned_;
};

}  // namespace millrace::gpu::recording
