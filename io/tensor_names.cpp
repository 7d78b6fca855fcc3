#include <millrace/io/tensor_names.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace millrace {

std::string common_wrapper(const std::vector<std::string>& names) {
  constexpr std::array<std::string_view, 3> kWrappers{"module.", "model.", "_orig_mod."};
  std::string wrapper;
  if (names.empty()) return wrapper;
  const auto next = [&] {
    return std::find_if(kWrappers.begin(), kWrappers.end(), [&](std::string_view one) {
      return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
        return name.starts_with(wrapper + std::string(one));
      });
    });
  };
  for (auto one = next(); one != kWrappers.end(); one = next()) wrapper += *one;
  return wrapper;
}

}  // namespace millrace
