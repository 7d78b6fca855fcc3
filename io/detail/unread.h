#pragma once
// A file that is read from its front, with errors for one that ends early or holds impossible
// data.

#include <millrace/core/error.h>

#include <cstddef>
#include <span>
#include <string_view>

namespace millrace::detail {

[[noreturn]] inline void ends_early() {
  throw Error("it ends early; get it again");
}

[[noreturn]] inline void is_damaged(std::string_view how) {
  throw Error(concat("it is damaged (", how, "); get it again"));
}

/// The bytes that are left.
class Unread {
 public:
  explicit Unread(std::span<const std::byte> bytes) : left_(bytes) {}

  /// As many bytes, which are in the file. Throws Error if it ends before.
  std::span<const std::byte> take(std::size_t count) {
    if (count > left_.size()) ends_early();
    const std::span<const std::byte> taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  [[nodiscard]] std::size_t size() const noexcept { return left_.size(); }

 private:
  std::span<const std::byte> left_;
};

}  // namespace millrace::detail
