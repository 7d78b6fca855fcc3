#include "apps/machine.h"

#include <sys/resource.h>
#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace millrace::apps {
namespace {

/// A number in a file of the kernel's, or 0 ("max", no such file).
std::uint64_t number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  file >> number;
  return file ? number : 0;
}

}  // namespace

Bytes memory_limit() {
  const auto pages = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES));
  std::uint64_t limit = pages * static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE));
  // The limits of the process's own group and of all above it (cgroup version 2).
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    if (line.rfind("0::/", 0) != 0) continue;
    std::filesystem::path group = line.substr(4);
    for (;; group = group.parent_path()) {
      const std::uint64_t granted = number_in("/sys/fs/cgroup" / group / "memory.max");
      if (granted > 0) limit = std::min(limit, granted);
      if (group.empty()) break;
    }
  }
  const std::uint64_t granted = number_in("/sys/fs/cgroup/memory/memory.limit_in_bytes");
  if (granted > 0) limit = std::min(limit, granted);
  return {limit};
}

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
