#include <millrace/io/detail/stored_floats.h>

#include <millrace/core/half.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

namespace millrace::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "the formats are little-endian");

/// Reads elements of type Stored a piece at a time and converts them.
template <class Stored, class Convert>
void read_converted(const RandomAccessFile& file, std::uint64_t offset, std::span<float> into,
                    Convert convert) {
  std::array<Stored, 4096> piece;
  while (!into.empty()) {
    const std::size_t n = std::min(piece.size(), into.size());
    file.read_at(offset, std::as_writable_bytes(std::span(piece.data(), n)));
    std::transform(piece.begin(), piece.begin() + n, into.begin(), convert);
    into = into.subspan(n);
    offset += n * sizeof(Stored);
  }
}

}  // namespace

std::size_t weight_size(std::string_view dtype) noexcept {
  if (dtype == "F32") return 4;
  if (dtype == "F64") return 8;
  return dtype == "F16" || dtype == "BF16" ? 2 : 0;
}

void read_floats(const RandomAccessFile& file, std::string_view dtype, std::uint64_t offset,
                 std::span<float> into) {
  if (dtype == "F32") {
    file.read_at(offset, std::as_writable_bytes(into));
  } else if (dtype == "F16") {
    read_converted<std::uint16_t>(file, offset, into, float_from_f16);
  } else if (dtype == "BF16") {
    read_converted<std::uint16_t>(file, offset, into, float_from_bf16);
  } else {
    read_converted<double>(file, offset, into, [](double x) { return static_cast<float>(x); });
  }
}

}  // namespace millrace::detail
