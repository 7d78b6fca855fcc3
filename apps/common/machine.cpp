#include "apps/common/machine.h"

#include <sys/resource.h>
#include <cstdint>
#include <cstdlib>
#include <fstream>

namespace millrace::apps {

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

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

Bytes peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return {static_cast<std::uint64_t>(usage.ru_maxrss) << 10};
}

}  // namespace millrace::apps
