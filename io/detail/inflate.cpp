#include <millrace/io/detail/inflate.h>

#include <libdeflate.h>

#include <memory>
#include <new>

namespace millrace::detail {

std::optional<Inflated> inflate(std::span<const std::byte> block, Wrapping wrapping,
                                std::span<std::byte> into) {
  struct Free {
    void operator()(libdeflate_decompressor* it) const { libdeflate_free_decompressor(it); }
  };
  // Scratch of one call, kept because pictures are small and many.
  thread_local std::unique_ptr<libdeflate_decompressor, Free> scratch;
  if (!scratch) scratch.reset(libdeflate_alloc_decompressor());
  if (!scratch) throw std::bad_alloc();

  const auto run =
      wrapping == Wrapping::zlib ? libdeflate_zlib_decompress : libdeflate_deflate_decompress;
  Inflated inflated;
  switch (
      run(scratch.get(), block.data(), block.size(), into.data(), into.size(), &inflated.bytes)) {
    case LIBDEFLATE_SUCCESS: inflated.is_whole = true; return inflated;
    case LIBDEFLATE_INSUFFICIENT_SPACE: return Inflated{};
    default: return std::nullopt;
  }
}

std::uint32_t crc32(std::span<const std::byte> bytes) noexcept {
  return libdeflate_crc32(0, bytes.data(), bytes.size());
}

}  // namespace millrace::detail
