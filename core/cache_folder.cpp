#include <millrace/core/cache_folder.h>

#include <cstdlib>

namespace millrace {

std::filesystem::path cache_folder() {
  const auto folder = [](const char* variable) -> std::filesystem::path {
    const char* const value = std::getenv(variable);
    return value == nullptr ? "" : value;
  };
  std::filesystem::path cache = folder("XDG_CACHE_HOME");
  if (!cache.is_absolute()) {
    if (folder("HOME").empty()) return {};
    cache = folder("HOME") / ".cache";
  }
  return cache / "millrace";
}

}  // namespace millrace
