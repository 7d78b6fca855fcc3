#include <millrace/io/tensor_names.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace millrace {

std::string common_wrapper(const std::vector<std::string>& names) {
  constexpr std::array<std::string_view, 3> kWrappers{"module.", "model.", "_orig_mod."};
  constexpr int kMost = 8;
  if (names.empty()) return {};
  std::size_t length = 0;
  for (int count = 0; count < kMost; ++count) {
    const auto one =
        std::find_if(kWrappers.begin(), kWrappers.end(), [&](std::string_view wrapper) {
          return std::all_of(names.begin(), names.end(), [&](std::string_view name) {
            return name.substr(length).starts_with(wrapper);
          });
        });
    if (one == kWrappers.end()) break;
    length += one->size();
  }
  return names.front().substr(0, length);
}

}  // namespace millrace
