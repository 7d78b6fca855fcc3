#include <millrace/io/detail/zip_directory.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/detail/number_at.h>
#include <millrace/io/detail/unread.h>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>

namespace millrace::detail {
namespace {

using Span = std::span<const std::byte>;

constexpr std::uint64_t kEndRecord = 22, kEndRecord64 = 56, kLocator64 = 20;
constexpr std::uint64_t kLocalHeader = 30, kCentralHeader = 46;
constexpr std::uint64_t kLongestComment = 0xFFFF;
constexpr std::uint64_t kElsewhere = 0xFFFFFFFF;  // the number is in the zip64 part

std::uint64_t number(Span bytes, std::uint64_t at, std::size_t size) {
  return number_at(bytes, at, size, false);
}

bool begins_with(Span bytes, std::uint64_t at, char kind, char part) {
  return bytes.size() >= at + 4 && number(bytes, at, 4) == (0x4B50U | std::uint64_t(kind) << 16U |
                                                            std::uint64_t(part) << 24U);
}

std::vector<std::byte> read(const RandomAccessFile& file, std::uint64_t at, std::uint64_t size) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  file.read_at(at, bytes);
  return bytes;
}

/// Where the directory lies, as the record at the end of the archive says.
struct Place {
  std::uint64_t begin = 0, size = 0, members = 0;
};

/// The record lies so that its comment ends with the file.
std::uint64_t find_end(const RandomAccessFile& file) {
  const std::uint64_t length = std::min(file.size(), kEndRecord + kLongestComment);
  const std::vector<std::byte> tail = read(file, file.size() - length, length);
  for (std::uint64_t left = kEndRecord; left <= length; ++left) {
    const std::uint64_t at = length - left;
    if (begins_with(tail, at, 5, 6) && number(tail, at + 20, 2) == left - kEndRecord) {
      return file.size() - left;
    }
  }
  ends_early();
}

/// What is in the zip64 record, if there is one.
std::optional<Place> large_place(const RandomAccessFile& file, std::uint64_t end) {
  if (end < kLocator64 + kEndRecord64) return std::nullopt;
  const std::vector<std::byte> locator = read(file, end - kLocator64, kLocator64);
  if (!begins_with(locator, 0, 6, 7)) return std::nullopt;
  const std::uint64_t at = number(locator, 8, 8);
  if (at > end - kLocator64 - kEndRecord64) is_damaged("its directory is not where it says");
  const std::vector<std::byte> record = read(file, at, kEndRecord64);
  if (!begins_with(record, 0, 6, 6)) is_damaged("its directory is not where it says");
  if (number(record, 16, 4) != 0 || number(record, 24, 8) != number(record, 32, 8)) {
    throw Error("is one part of an archive of several files; put them together first");
  }
  return Place{number(record, 48, 8), number(record, 40, 8), number(record, 32, 8)};
}

Place find_directory(const RandomAccessFile& file) {
  if (file.size() < kEndRecord) ends_early();
  const std::uint64_t end = find_end(file);
  const std::vector<std::byte> record = read(file, end, kEndRecord);
  const std::optional<Place> large = large_place(file, end);
  if (!large && (number(record, 4, 2) != 0 || number(record, 8, 2) != number(record, 10, 2))) {
    throw Error("is one part of an archive of several files; put them together first");
  }
  const Place place =
      large ? *large : Place{number(record, 16, 4), number(record, 12, 4), number(record, 10, 2)};
  if (place.begin > end || place.size > end - place.begin ||
      place.members > place.size / kCentralHeader) {
    is_damaged("its directory is not where it says");
  }
  return place;
}

/// Numbers of eight bytes for those that are elsewhere, in this order.
void take_zip64(Span extra, ZipMember& member) {
  while (extra.size() >= 4) {
    const std::uint64_t kind = number(extra, 0, 2), length = number(extra, 2, 2);
    if (length > extra.size() - 4) is_damaged("a member's header is cut off");
    Span part = extra.subspan(4, static_cast<std::size_t>(length));
    extra = extra.subspan(4 + static_cast<std::size_t>(length));
    if (kind != 1) continue;
    for (std::uint64_t* value : {&member.size, &member.packed, &member.header}) {
      if (*value != kElsewhere) continue;
      if (part.size() < 8) is_damaged("a member's header lacks a size");
      *value = number(part, 0, 8);
      part = part.subspan(8);
    }
    return;
  }
}

std::string text(Span bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

bool has_checksum(const RandomAccessFile& file, std::uint64_t begin, std::uint64_t bytes,
                  std::uint32_t crc, const std::function<void(Span)>& also) {
  std::vector<std::byte> piece(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, 1 << 20)));
  uLong sum = 0;
  while (bytes > 0) {
    const auto part = std::span(piece).first(
        static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), bytes)));
    file.read_at(begin, part);
    sum = ::crc32_z(sum, reinterpret_cast<const Bytef*>(part.data()), part.size());
    if (also) also(part);
    begin += part.size();
    bytes -= part.size();
  }
  return crc == 0 || sum == crc;
}

ZipDirectory::ZipDirectory(const RandomAccessFile& file) : file_(file) {
  const Place place = find_directory(file);
  if (place.size > kMostDescribed) is_damaged("its directory has more than 64 MiB");
  end_ = place.begin;
  const std::vector<std::byte> directory = read(file, place.begin, place.size);
  Unread unread(directory);
  for (std::uint64_t i = 0; i < place.members; ++i) {
    const Span header = unread.take(kCentralHeader);
    if (!begins_with(header, 0, 1, 2)) is_damaged("its directory has something else in it");
    ZipMember member;
    member.is_encrypted = (number(header, 8, 2) & 1U) != 0;
    member.method = static_cast<std::uint16_t>(number(header, 10, 2));
    member.crc = static_cast<std::uint32_t>(number(header, 16, 4));
    member.packed = number(header, 20, 4);
    member.size = number(header, 24, 4);
    member.header = number(header, 42, 4);
    member.name = text(unread.take(static_cast<std::size_t>(number(header, 28, 2))));
    take_zip64(unread.take(static_cast<std::size_t>(number(header, 30, 2))), member);
    (void)unread.take(static_cast<std::size_t>(number(header, 32, 2)));
    members_.push_back(std::move(member));
  }
  std::sort(members_.begin(), members_.end(),
            [](const ZipMember& a, const ZipMember& b) { return a.name < b.name; });
  const auto twice =
      std::adjacent_find(members_.begin(), members_.end(),
                         [](const ZipMember& a, const ZipMember& b) { return a.name == b.name; });
  if (twice != members_.end()) is_damaged("it holds " + shown(twice->name) + " twice");
}

const ZipMember* ZipDirectory::find(std::string_view name) const noexcept {
  const auto found = std::lower_bound(
      members_.begin(), members_.end(), name,
      [](const ZipMember& member, std::string_view sought) { return member.name < sought; });
  return found == members_.end() || found->name != name ? nullptr : &*found;
}

std::uint64_t ZipDirectory::content(const ZipMember& member) const {
  const std::string name = shown(member.name);
  if (member.is_encrypted) throw Error(concat("its member ", name, " is encrypted"));
  if (member.method != 0 || member.packed != member.size) {
    throw Error(concat("its member ", name,
                       " is compressed, as PyTorch and Keras do not write it; unpack the archive "
                       "and pack it again with 'zip -0'"));
  }
  if (end_ < kLocalHeader || member.header > end_ - kLocalHeader) {
    is_damaged(concat("its member ", name, " is not where the directory says"));
  }
  std::array<std::byte, kLocalHeader> header{};
  file_.read_at(member.header, header);
  const std::uint64_t begin =
      member.header + kLocalHeader + number(header, 26, 2) + number(header, 28, 2);
  if (!begins_with(header, 0, 3, 4) || begin > end_ || member.size > end_ - begin) {
    is_damaged(concat("its member ", name, " is not where the directory says"));
  }
  return begin;
}

std::uint64_t ZipDirectory::checked_content(const ZipMember& member) const {
  const std::uint64_t begin = content(member);
  const std::string name = shown(member.name);
  if (member.size > kMostDescribed)
    is_damaged(concat("its member ", name, " has more than 64 MiB"));
  if (!has_checksum(file_, begin, member.size, member.crc)) {
    is_damaged(concat("the checksum of its member ", name, " is another"));
  }
  return begin;
}

}  // namespace millrace::detail
