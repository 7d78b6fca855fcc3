// Compiled without warnings: this file instantiates stb_image, which is not written for ours.
#include <millrace/io/detail/stb_png.h>

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/io/detail/inflate.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

namespace millrace::detail {
namespace {

// What one call of stb_image may still allocate. stb has no place to pass it through, hence the
// thread-local pointer, which is set for the length of a call only.
struct Account {
  std::size_t left = 0;
  bool is_overdrawn = false;
  bool has_no_memory = false;  // there was none, though it might have been taken
};
thread_local Account* account = nullptr;

// Each block begins with its size, in a prefix that keeps the alignment of malloc.
constexpr std::size_t kPrefix = alignof(std::max_align_t);

void release(void* block) {
  if (block == nullptr) return;
  std::byte* const start = static_cast<std::byte*>(block) - kPrefix;
  std::size_t size = 0;
  std::memcpy(&size, start, sizeof(size));
  if (account != nullptr) account->left += size;
  std::free(start);
}

void* allocate(std::size_t size) {
  if (account == nullptr || size > account->left) {
    if (account != nullptr) account->is_overdrawn = true;
    return nullptr;
  }
  // Zeroed, because stb_image leaves parts of damaged images unwritten.
  auto* const start = static_cast<std::byte*>(std::calloc(1, size + kPrefix));
  if (start == nullptr) {
    account->has_no_memory = true;
    return nullptr;
  }
  std::memcpy(start, &size, sizeof(size));
  account->left -= size;
  return start + kPrefix;
}

void* reallocate(void* block, std::size_t old_size, std::size_t new_size) {
  void* const moved = allocate(new_size);
  if (moved == nullptr) return nullptr;
  if (block != nullptr) std::memcpy(moved, block, std::min(old_size, new_size));
  release(block);
  return moved;
}

}  // namespace
}  // namespace millrace::detail

#define STBI_MALLOC(size) millrace::detail::allocate(size)
#define STBI_REALLOC_SIZED(block, old_size, new_size) \
  millrace::detail::reallocate(block, old_size, new_size)
#define STBI_FREE(block) millrace::detail::release(block)
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#define STBI_NO_JPEG
#define STBI_NO_BMP
#define STBI_NO_PNM
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PIC
#define STBI_NO_GIF
#define STBI_NO_PSD
#define STBI_NO_TGA
#define STBI_NO_STDIO
#define STBI_NO_ZLIB  // then it asks the function below
#include <stb/stb_image.h>

// In place of stb_image's own: the data of a PNG file of `length` bytes, of which it expects about
// `guess` to come. Null, with the reason, if that cannot be.
static char* stbi_zlib_decode_malloc_guesssize_headerflag(const char* data, int length, int guess,
                                                          int* bytes, int has_header) {
  using namespace millrace::detail;
  const std::span block(reinterpret_cast<const std::byte*>(data), static_cast<std::size_t>(length));
  const Wrapping wrapping = has_header != 0 ? Wrapping::zlib : Wrapping::none;
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  for (std::size_t size = static_cast<std::size_t>(std::max(guess, 1));;
       size = std::min(2 * size, kMost)) {
    auto* const into = static_cast<char*>(allocate(size));
    if (into == nullptr) return stbi__errpuc("outofmem", "Out of memory"), nullptr;
    std::size_t unpacked = 0;
    const Inflated outcome =
        inflate(block, wrapping, {reinterpret_cast<std::byte*>(into), size}, unpacked);
    if (outcome == Inflated::whole) {
      *bytes = static_cast<int>(unpacked);
      return into;
    }
    release(into);
    if (outcome == Inflated::more_than_fits && size < kMost) continue;
    if (outcome == Inflated::no_memory) account->has_no_memory = true;
    return stbi__errpuc("bad zlib data", "Corrupt PNG"), nullptr;
  }
}

namespace millrace::detail {
namespace {

// A file as stb_image reads it, remembering whether it was asked for more than there is:
// stb_image itself goes on with zeros.
struct Source {
  std::span<const std::byte> file;
  std::size_t position = 0;
  bool has_ended_early = false;

  static int read(void* user, char* data, int wanted) {
    auto& source = *static_cast<Source*>(user);
    const std::size_t n =
        std::min(source.file.size() - source.position, static_cast<std::size_t>(wanted));
    std::memcpy(data, source.file.data() + source.position, n);
    source.position += n;
    // Asked for as much as its buffer holds it reads ahead and takes less; anything else it needs.
    constexpr int kReadAhead = sizeof(stbi__context::buffer_start);
    if (n == 0 || (n < static_cast<std::size_t>(wanted) && wanted != kReadAhead)) {
      source.has_ended_early = true;
    }
    return static_cast<int>(n);
  }
  static void skip(void* user, int n) {
    auto& source = *static_cast<Source*>(user);
    const std::size_t left = source.file.size() - source.position;
    if (n < 0) {  // gives back what it has read ahead
      source.position -= std::min(source.position, static_cast<std::size_t>(-n));
    } else {
      if (static_cast<std::size_t>(n) > left) source.has_ended_early = true;
      source.position += std::min(left, static_cast<std::size_t>(n));
    }
  }
  static int eof(void* user) {
    const auto& source = *static_cast<const Source*>(user);
    return source.position == source.file.size() ? 1 : 0;
  }
};

constexpr stbi_io_callbacks kCallbacks = {Source::read, Source::skip, Source::eof};

struct Charge {
  explicit Charge(Account& to) { account = &to; }
  ~Charge() { account = nullptr; }
};

}  // namespace

RasterHeader stb_header(std::span<const std::byte> file) {
  Account scratch{1U << 20};
  const Charge charge(scratch);
  Source source{file};
  RasterHeader header;
  if (stbi_info_from_callbacks(&kCallbacks, &source, &header.width, &header.height,
                               &header.channels) == 0 ||
      header.width <= 0 || header.height <= 0) {
    // stb_image asks every format in turn and keeps the reason of the last one only.
    throw Error("its header is damaged or claims more pixels than can be decoded; get it again");
  }
  return header;
}

Raster stb_decode(std::span<const std::byte> file, std::size_t max_bytes, std::size_t taken) {
  Account scratch{max_bytes - std::min(taken, max_bytes)};
  const Charge charge(scratch);
  Source source{file};
  RasterHeader header;
  std::uint8_t* const pixels = stbi_load_from_callbacks(&kCallbacks, &source, &header.width,
                                                        &header.height, &header.channels, 0);
  Raster image{header, {pixels, [](std::uint8_t* memory) { release(memory); }}};
  if (scratch.is_overdrawn) refuse_raster_bytes(max_bytes);
  if (pixels == nullptr && scratch.has_no_memory) throw std::bad_alloc();
  if (pixels == nullptr && !source.has_ended_early) {
    const char* const reason = stbi_failure_reason();  // none where it trusts its own writing
    if (reason == nullptr) throw Error("it is damaged; get it again");
    throw Error(concat("it is damaged (", reason, "); get it again"));
  }
  if (pixels == nullptr || source.has_ended_early) throw Error("it ends early; get it again");
  return image;
}

}  // namespace millrace::detail
