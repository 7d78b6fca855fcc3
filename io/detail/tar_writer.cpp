#include <millrace/io/detail/tar_writer.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

namespace millrace::detail {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kRecord = 20 * kBlock;  // to which tar pads an archive
constexpr std::size_t kEndMark = 2 * kBlock;

/// In octal digits, with zeros before them and a zero byte behind.
void put_number(std::span<char> field, std::uint64_t number) {
  field.back() = '\0';
  for (std::size_t i = field.size() - 1; i-- > 0; number /= 8) {
    field[i] = static_cast<char>('0' + number % 8);
  }
}

std::array<char, kBlock> header_of(std::string_view name, std::uint64_t length) {
  std::array<char, kBlock> header{};
  const std::span all(header);
  std::copy(name.begin(), name.end(), all.begin());
  put_number(all.subspan(100, 8), 0644);
  put_number(all.subspan(108, 8), 0);  // user
  put_number(all.subspan(116, 8), 0);  // group
  put_number(all.subspan(124, 12), length);
  put_number(all.subspan(136, 12), 0);     // time
  std::fill_n(all.begin() + 148, 8, ' ');  // the sum's own place counts as blanks
  all[156] = '0';
  constexpr std::string_view kMagic("ustar\00000", 8);
  std::copy(kMagic.begin(), kMagic.end(), all.begin() + 257);
  const auto sum = std::accumulate(header.begin(), header.end(), 0U, [](unsigned total, char c) {
    return total + static_cast<unsigned char>(c);
  });
  put_number(all.subspan(148, 7), sum);
  return header;
}

}  // namespace

std::uint64_t TarWriter::bytes_of(std::uint64_t length) noexcept {
  return kBlock + (length + kBlock - 1) / kBlock * kBlock;
}

std::uint64_t TarWriter::archive_bytes(std::uint64_t members) noexcept {
  return (members + kEndMark + kRecord - 1) / kRecord * kRecord;
}

void TarWriter::add(std::string_view name, std::span<const std::byte> content) {
  MILLRACE_CHECK(name.size() <= 100 && content.size() < std::uint64_t{1} << 33,
                 "a name and a length that fit into a header");
  const std::array<char, kBlock> header = header_of(name, content.size());
  append({header.data(), header.size()});
  append({reinterpret_cast<const char*>(content.data()), content.size()});
  pad(kBlock);
}

void TarWriter::finish() {
  append(std::string(kEndMark, '\0'));
  pad(kRecord);
  file_.append(std::exchange(buffer_, {}));
}

void TarWriter::append(std::string_view bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  size_ += bytes.size();
  buffer_ += bytes;
  if (buffer_.size() < kPiece) return;
  file_.append(buffer_);
  buffer_.clear();
}

void TarWriter::pad(std::size_t block) {
  const std::size_t rest = static_cast<std::size_t>(size_ % block);
  if (rest > 0) append(std::string(block - rest, '\0'));
}

}  // namespace millrace::detail
