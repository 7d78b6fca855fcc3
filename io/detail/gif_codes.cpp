#include <millrace/io/detail/gif_codes.h>

#include <millrace/core/error.h>

#include <algorithm>

namespace millrace::detail {

GifCodes::GifCodes(int bits) : bits_(bits), clear_(1 << bits) {
  for (int i = 0; i < clear_; ++i) {
    const auto index = static_cast<std::uint8_t>(i);  // of more than 8 bits the lower ones count
    at(i) = {0, 1, index, index};
  }
  clear();
}

void GifCodes::clear() noexcept {
  width_ = bits_ + 1;
  next_ = clear_ + 2;
  before_ = -1;
}

// Gives the next code the string of the code before and the first index of another one.
void GifCodes::add(int first_of) {
  const Entry& older = at(before_);
  at(next_) = {static_cast<std::uint16_t>(before_), static_cast<std::uint16_t>(older.length + 1),
               older.first, at(first_of).first};
  if (next_ == (1 << width_) - 1 && width_ < 12) ++width_;
  ++next_;
}

std::span<const std::uint8_t> GifCodes::expand(int code) {
  if (code == clear_) {
    clear();
    return {};
  }
  if (code > (before_ < 0 ? clear_ : next_)) {
    throw Error("it is damaged (an impossible code); get it again");
  }
  // The next code itself may come: its string begins as the one before.
  if (before_ >= 0 && next_ < kMostCodes) add(code == next_ ? before_ : code);
  before_ = code;
  const std::size_t length = at(code).length;
  for (std::size_t i = length; i > 0; --i) {
    text_[i - 1] = at(code).last;
    code = at(code).older;
  }
  return std::span(text_).first(length);
}

}  // namespace millrace::detail
