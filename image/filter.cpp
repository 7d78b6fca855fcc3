#include <millrace/image/filter.h>

#include <millrace/core/error.h>

#include <array>
#include <string>

namespace millrace {
namespace {

constexpr std::array<const char*, 6> kNames = {"nearest", "box",     "bilinear",
                                               "hamming", "bicubic", "lanczos"};

}  // namespace

const char* to_string(Filter filter) noexcept {
  return kNames[static_cast<std::size_t>(filter)];
}

Filter filter_from_name(std::string_view name) {
  std::string known;
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<Filter>(i);
    known += concat(i == 0 ? "" : ", ", kNames[i]);
  }
  throw UsageError(concat("'", name, "' is not a resize filter; choose one of ", known));
}

}  // namespace millrace
