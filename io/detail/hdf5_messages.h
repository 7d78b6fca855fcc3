#pragma once
// Messages between the process that reads an HDF5 file and the one that asks for its numbers.

#include <millrace/io/hdf5_contents.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace millrace::detail {

/// Numbers and texts one after the other, between the two processes.
class MessageWriter {
 public:
  void number(std::uint64_t value) { append(std::as_bytes(std::span(&value, 1))); }
  void text(const std::string& value) {
    number(value.size());
    append(std::as_bytes(std::span(value)));
  }
  std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  void append(std::span<const std::byte> part) {
    bytes_.insert(bytes_.end(), part.begin(), part.end());
  }
  std::vector<std::byte> bytes_;
};

/// The other process read an untrusted file, so what it says is not trusted either.
class MessageReader {
 public:
  explicit MessageReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  /// Throw Error at the end of the bytes.
  std::uint64_t number();
  std::string text();

 private:
  std::span<const std::byte> take(std::uint64_t count);
  std::span<const std::byte> bytes_;
};

[[nodiscard]] std::vector<std::byte> packed(const Hdf5Contents& contents);
/// Throws Error if the bytes are no list of contents.
[[nodiscard]] Hdf5Contents unpacked(std::span<const std::byte> bytes);

}  // namespace millrace::detail
