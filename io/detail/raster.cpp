#include <millrace/io/detail/raster.h>

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>

#include <cstdlib>
#include <new>

namespace millrace::detail {
namespace {

constexpr const char* kWhatToDo = " that an image may; shrink it or raise --memory-budget";

}  // namespace

std::size_t raster_bytes(const RasterHeader& header) noexcept {
  return static_cast<std::size_t>(header.height) * static_cast<std::size_t>(header.width) *
         static_cast<std::size_t>(header.channels);
}

void check_raster_bytes(std::uint64_t bytes, std::size_t max_bytes) {
  if (bytes <= max_bytes) return;
  throw TooLittleMemory(
      concat("decoding it takes ", Bytes{bytes}, ", more than the ", Bytes{max_bytes}, kWhatToDo));
}

void refuse_raster_bytes(std::size_t max_bytes) {
  throw TooLittleMemory(concat("decoding it takes more than the ", Bytes{max_bytes}, kWhatToDo));
}

Raster new_raster(const RasterHeader& header, std::size_t max_bytes) {
  const std::size_t bytes = raster_bytes(header);
  check_raster_bytes(bytes, max_bytes);
  auto* const memory = static_cast<std::uint8_t*>(std::calloc(1, bytes));
  if (memory == nullptr) throw std::bad_alloc();
  return {header, {memory, [](std::uint8_t* pixels) { std::free(pixels); }}};
}

}  // namespace millrace::detail
