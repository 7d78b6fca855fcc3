#include <millrace/io/run_marker.h>

#include <millrace/io/files.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <system_error>

namespace millrace {

bool is_run_directory(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  constexpr std::string_view kStart = kConfigStart;
  std::error_code error;
  if (fs::is_regular_file(folder / kRunMarker, error)) return true;
  const fs::path config = folder / "config.ini";
  if (!fs::is_regular_file(config, error)) return false;
  std::array<std::byte, kStart.size()> start{};
  const std::size_t read = read_start(config, start, error);
  return !error && std::string_view(reinterpret_cast<const char*>(start.data()), read) == kStart;
}

bool is_part_of_run(std::string_view name) {
  const auto has = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  return name == kRunMarker || has(kRunFiles) || has(kRunFolders);
}

}  // namespace millrace
