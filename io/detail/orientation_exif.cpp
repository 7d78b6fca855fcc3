#include <millrace/io/detail/orientation_exif.h>

#include <millrace/io/detail/number_at.h>

#include <bit>
#include <optional>
#include <string_view>
#include <utility>

namespace millrace::detail {
namespace {

using namespace std::string_view_literals;
using Span = std::span<const std::byte>;

constexpr std::uint64_t kOrientation = 274, kXmp = 700;

enum Type : std::uint64_t {
  kByte = 1,
  kAscii = 2,
  kShort = 3,
  kLong = 4,
  kRational = 5,
  kSignedByte = 6,
  kUndefined = 7,
  kSignedShort = 8,
  kSignedLong = 9,
  kSignedRational = 10,
  kFloat = 11,
  kDouble = 12,
  kIfd = 13,
  kLong8 = 16
};

// Of a value of a type; 0 for types that are passed over.
std::size_t bytes_of(std::uint64_t type) {
  switch (type) {
    case kByte:
    case kAscii:
    case kSignedByte:
    case kUndefined: return 1;
    case kShort:
    case kSignedShort: return 2;
    case kLong:
    case kSignedLong:
    case kFloat:
    case kIfd: return 4;
    case kRational:
    case kSignedRational:
    case kDouble:
    case kLong8: return 8;
    default: return 0;
  }
}

std::string_view text_of(Span bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

int checked(double value) {
  return value >= 2 && value <= 8 && value == static_cast<int>(value) ? static_cast<int>(value) : 1;
}

struct Form {
  bool is_big_endian = false;
  bool is_wide = false;  // BigTIFF
};

// The first of the values of the tag. Pillow compares numbers, whatever their type, and finds bytes
// and text equal to none.
int orientation_in(Span values, std::uint64_t type, Form form) {
  const std::size_t size = bytes_of(type);
  const auto number = [&](std::size_t at, std::size_t bytes) {
    return number_at(values, at, bytes, form.is_big_endian);
  };
  switch (type) {
    case kByte:
    case kAscii:
    case kUndefined: return 1;
    case kFloat: return checked(std::bit_cast<float>(static_cast<std::uint32_t>(number(0, 4))));
    case kDouble: return checked(std::bit_cast<double>(number(0, 8)));
    case kRational:
      return checked(static_cast<double>(number(0, 4)) / static_cast<double>(number(4, 4)));
    case kSignedRational:
      return checked(static_cast<double>(static_cast<std::int32_t>(number(0, 4))) /
                     static_cast<double>(static_cast<std::int32_t>(number(4, 4))));
    default: return checked(static_cast<double>(number(0, size)));  // none is below 0 and small
  }
}

struct Directory {
  std::optional<int> orientation;
  Span xmp;
};

// As Pillow: entries of types that it does not know are passed over, so are those without values,
// of two for one tag the last counts, and one whose values lie outside ends the directory.
Directory read_directory(Span file, std::uint64_t at, Form form) {
  const std::size_t count_bytes = form.is_wide ? 8 : 2, entry_bytes = form.is_wide ? 20 : 12;
  const std::size_t value_bytes = form.is_wide ? 8 : 4;
  const auto has = [&](std::uint64_t bytes) {
    return at <= file.size() && bytes <= file.size() - at;
  };
  const auto number = [&](std::uint64_t place, std::size_t bytes) {
    return number_at(file, place, bytes, form.is_big_endian);
  };
  Directory directory;
  if (!has(count_bytes)) return directory;
  const std::uint64_t entries = number(at, count_bytes);
  at += count_bytes;
  for (std::uint64_t i = 0; i < entries && has(entry_bytes); ++i, at += entry_bytes) {
    const std::uint64_t type = number(at + 2, 2), count = number(at + 4, value_bytes);
    const std::size_t size = bytes_of(type);
    if (size == 0 || count == 0) continue;
    std::uint64_t place = at + 4 + value_bytes;
    if (count > value_bytes / size) {
      place = number(place, value_bytes);
      if (place > file.size() || count > (file.size() - place) / size) break;
    }
    const Span values =
        file.subspan(static_cast<std::size_t>(place), static_cast<std::size_t>(count) * size);
    const std::uint64_t tag = number(at, 2);
    if (tag == kOrientation) directory.orientation = orientation_in(values, type, form);
    if (tag == kXmp) directory.xmp = type == kByte || type == kUndefined ? values : Span();
  }
  return directory;
}

// The first `tiff:Orientation="6` or `tiff:Orientation>6` in the text, which is not parsed.
int xmp_orientation(Span xmp) {
  constexpr std::string_view kName = "tiff:Orientation";
  std::string_view text = text_of(xmp);
  for (;;) {
    const std::size_t found = text.find(kName);
    if (found == text.npos) return 1;
    text.remove_prefix(found + kName.size());
    const std::size_t before = text.starts_with("=\"") ? 2 : text.starts_with('>') ? 1 : 0;
    if (before == 0 || text.size() == before) continue;
    const char digit = text[before];
    if (digit >= '0' && digit <= '9') return checked(digit - '0');
  }
}

}  // namespace

int orientation_of(Span block, Span xmp) noexcept {
  while (text_of(block).starts_with("Exif\0\0"sv)) block = block.subspan(6);
  if (block.empty()) return xmp_orientation(xmp);
  // The last three are no heads of TIFF, but Pillow takes them for such; BigTIFF it does not.
  std::optional<Form> form;
  for (const auto& [magic, is_big_endian] :
       {std::pair{"II*\0"sv, false}, std::pair{"MM\0*"sv, true}, std::pair{"II\0*"sv, false},
        std::pair{"MM*\0"sv, true}, std::pair{"MM\0+"sv, true}}) {
    if (text_of(block).starts_with(magic)) form = Form{.is_big_endian = is_big_endian};
  }
  if (!form || block.size() < 8) return 1;
  const std::uint64_t first = number_at(block, 4, 4, form->is_big_endian);
  const Directory directory = read_directory(block, first, *form);
  return directory.orientation ? *directory.orientation : xmp_orientation(xmp);
}

int tiff_orientation(Span file) noexcept {
  if (file.size() < 16) return 1;
  Form form{.is_big_endian = text_of(file).starts_with('M')};
  form.is_wide = number_at(file, 2, 2, form.is_big_endian) == 43;
  // The place of the directory stands at 4 in 4 bytes, at 8 in 8 of BigTIFF.
  const std::size_t size = form.is_wide ? 8 : 4;
  const std::uint64_t first = number_at(file, size, size, form.is_big_endian);
  const Directory directory = read_directory(file, first, form);
  return directory.orientation ? *directory.orientation : xmp_orientation(directory.xmp);
}

}  // namespace millrace::detail
