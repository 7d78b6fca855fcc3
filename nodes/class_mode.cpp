#include <millrace/nodes/class_mode.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>

namespace millrace {
namespace {

// In the order of the enumeration.
constexpr std::array<const char*, 5> kNames{"binary", "categorical", "sparse", "input", "none"};

}  // namespace

const char* to_string(ClassMode mode) noexcept {
  return kNames[static_cast<std::size_t>(mode)];
}

ClassMode class_mode_named(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    throw UsageError(
        concat("unknown class mode '", name, "'; known: binary, categorical, sparse, input, none"));
  }
  return static_cast<ClassMode>(found - kNames.begin());
}

void check_class_mode(ClassMode mode, std::int64_t classes) {
  if (mode != ClassMode::binary || classes == 2) return;
  throw UsageError(concat("class mode binary is for two classes; the data have ", classes,
                          "; sparse and categorical take any number"));
}

bool has_labels(ClassMode mode) noexcept {
  return mode != ClassMode::input && mode != ClassMode::none;
}

std::int64_t target_width(ClassMode mode, std::int64_t classes) noexcept {
  return mode == ClassMode::categorical ? classes : 0;
}

}  // namespace millrace
