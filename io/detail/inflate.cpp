#include <millrace/io/detail/inflate.h>

#include <millrace/io/detail/memory_sanitizer.h>

#include <libdeflate.h>

#include <memory>

namespace millrace::detail {

Inflated inflate(std::span<const std::byte> block, Wrapping wrapping, std::span<std::byte> into,
                 std::size_t& bytes) noexcept {
  struct Free {
    void operator()(libdeflate_decompressor* it) const { libdeflate_free_decompressor(it); }
  };
  // Scratch of one call, kept because images are small and many.
  thread_local std::unique_ptr<libdeflate_decompressor, Free> scratch;
  if (!scratch) scratch.reset(libdeflate_alloc_decompressor());
  if (!scratch) return Inflated::no_memory;

  const auto run =
      wrapping == Wrapping::zlib ? libdeflate_zlib_decompress : libdeflate_deflate_decompress;
  switch (run(scratch.get(), block.data(), block.size(), into.data(), into.size(), &bytes)) {
    case LIBDEFLATE_SUCCESS: written_by_library(into.data(), bytes); return Inflated::whole;
    case LIBDEFLATE_INSUFFICIENT_SPACE: return Inflated::more_than_fits;
    default: return Inflated::damaged;
  }
}

std::uint32_t crc32(std::span<const std::byte> bytes) noexcept {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

}  // namespace millrace::detail
