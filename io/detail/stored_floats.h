#pragma once
// Numbers of weight files as float, whatever type they have there.

#include <millrace/io/files.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace millrace::detail {

/// Bytes of an element of F32, F16, BF16 or F64, the types that are read as weights; 0 for others.
[[nodiscard]] std::size_t weight_size(std::string_view dtype) noexcept;

/// Reads the elements that follow each other from `offset` on. Requires: weight_size(dtype) > 0.
/// Throws Error if the file ends before. Thread-safe.
void read_floats(const RandomAccessFile& file, std::string_view dtype, std::uint64_t offset,
                 std::span<float> into);

}  // namespace millrace::detail
