#include "fuzz/harnesses.h"

#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace millrace::test {
namespace {

std::uint32_t sum_of(Input bytes) {
  const auto* const data = reinterpret_cast<const Bytef*>(bytes.data());
  return static_cast<std::uint32_t>(::crc32_z(0, data, bytes.size()));
}

}  // namespace

MemoryFile::MemoryFile(Input bytes) : file_(::memfd_create("input", MFD_CLOEXEC)) {
  if (file_ < 0) throw std::runtime_error("no file in memory to be had");
  while (!bytes.empty()) {
    const ssize_t n = ::write(file_, bytes.data(), bytes.size());
    if (n <= 0) throw std::runtime_error("a file in memory cannot be written");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

MemoryFile::~MemoryFile() {
  ::close(file_);
}

std::vector<std::byte> with_png_checksums(Input input) {
  std::vector<std::byte> file(input.begin(), input.end());
  if (!text_of(input).starts_with("\x89PNG\r\n\x1A\n")) return file;
  for (std::size_t at = 8; file.size() - at >= 12;) {
    std::size_t length = 0;
    for (std::size_t i = 0; i < 4; ++i)
      length = length << 8 | std::to_integer<std::size_t>(file[at + i]);
    if (length > file.size() - at - 12) break;
    const std::uint32_t sum = sum_of(std::span(file).subspan(at + 4, length + 4));
    at += length + 12;
    for (std::size_t i = 0; i < 4; ++i) file[at - 1 - i] = static_cast<std::byte>(sum >> (8 * i));
  }
  return file;
}

std::vector<std::byte> with_checkpoint_checksum(Input input) {
  std::vector<std::byte> file(input.begin(), input.end());
  if (file.size() < 4) return file;
  const std::uint32_t sum = sum_of(input.first(input.size() - 4));
  std::memcpy(file.data() + file.size() - 4, &sum, sizeof(sum));
  return file;
}

}  // namespace millrace::test
