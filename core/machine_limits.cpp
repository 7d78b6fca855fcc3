#include <millrace/core/machine_limits.h>

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace millrace {
namespace {

namespace fs = std::filesystem;

/// A hierarchy of groups where it is mounted.
struct Mount {
  fs::path root;   ///< the group that the mount point is
  fs::path point;  ///< where
  bool is_v2 = false;
  std::string options;  ///< of version 1: ",rw,cpu,cpuacct,"
};

/// In mountinfo a space of a path is \040.
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const char* const end = text.data() + std::min(i + 4, text.size());
    if (text[i] == '\\' && std::from_chars(text.data() + i + 1, end, code, 8).ptr == end) {
      result += static_cast<char>(code);
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

std::vector<Mount> mounts_of_groups(const fs::path& root) {
  std::vector<Mount> mounts;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    // "25 20 0:22 ROOT POINT OPTIONS [TAGS] - TYPE SOURCE OPTIONS"
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash)), after(line.substr(dash + 3));
    std::string skipped, group, point, type, options;
    before >> skipped >> skipped >> skipped >> group >> point;
    after >> type >> skipped >> options;
    if (type != "cgroup" && type != "cgroup2") continue;
    mounts.push_back({unescaped(group), unescaped(point), type == "cgroup2", ',' + options + ','});
  }
  return mounts;
}

bool climbs(const fs::path& path) {
  return std::find(path.begin(), path.end(), "..") != path.end();
}

/// Where `group` lies below the mount's root; nothing if it does not.
std::optional<fs::path> below(const Mount& mount, const fs::path& group) {
  if (climbs(group)) return std::nullopt;     // outside of what a namespace shows
  if (climbs(mount.root)) return fs::path();  // the mount point is above us, names between unknown
  fs::path rest = group.lexically_relative(mount.root);
  if (rest.empty() || climbs(rest)) return std::nullopt;
  return rest == "." ? fs::path() : rest;
}

/// The folders of the groups that the process is in for `controller`: its own, and those above it.
std::vector<fs::path> groups(const fs::path& root, const char* controller, bool is_v2) {
  const std::string word = std::string(",") + controller + ',';
  std::vector<fs::path> folders;
  const std::vector<Mount> mounts = mounts_of_groups(root);
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    // "4:cpu,cpuacct:/group", of version 2 "0::/group"
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = ',' + line.substr(first + 1, second - first - 1) + ',';
    if (is_v2 ? controllers != ",," : controllers.find(word) == std::string::npos) continue;
    for (const Mount& mount : mounts) {
      if (mount.is_v2 != is_v2 || (!is_v2 && mount.options.find(word) == std::string::npos)) {
        continue;
      }
      std::optional<fs::path> rest = below(mount, line.substr(second + 1));
      for (; rest; rest = rest->empty() ? std::nullopt : std::optional(rest->parent_path())) {
        folders.push_back(root / mount.point.relative_path() / *rest);
      }
    }
  }
  return folders;
}

/// The numbers at the front of a file.
std::vector<double> numbers_in(const fs::path& path) {
  std::vector<double> numbers;
  std::ifstream file(path);
  for (double number = 0; file >> number;) numbers.push_back(number);
  return numbers;
}

void lower_cores(int& cores, double quota, double period) {
  constexpr double kMost = 1 << 20;  // beyond this it is no limit
  if (!(quota > 0) || !(period > 0) || quota / period > kMost) return;
  const int granted = std::max(1, static_cast<int>(std::ceil(quota / period)));
  cores = cores == 0 ? granted : std::min(cores, granted);
}

/// "max" and a missing file are no limit.
void lower_memory(Bytes& memory, const fs::path& path) {
  std::ifstream file(path);
  std::uint64_t limit = 0;
  if (!(file >> limit)) return;
  if (memory.count == 0 || limit < memory.count) memory.count = std::max<std::uint64_t>(1, limit);
}

int cores_of_affinity() {
  const auto free = [](cpu_set_t* set) { CPU_FREE(set); };
  for (int most = CPU_SETSIZE; most <= 1 << 20; most *= 2) {  // too small a set is an error
    const std::unique_ptr<cpu_set_t, decltype(free)> set(CPU_ALLOC(most), free);
    if (set != nullptr && sched_getaffinity(0, CPU_ALLOC_SIZE(most), set.get()) == 0) {
      return CPU_COUNT_S(CPU_ALLOC_SIZE(most), set.get());
    }
  }
  return static_cast<int>(std::thread::hardware_concurrency());
}

/// A variable of OpenMP, "4" or "4,2" for teams within teams; 0 if it says nothing.
int threads_in(const char* variable) {
  const char* const value = std::getenv(variable);
  if (value == nullptr) return 0;
  std::istringstream text(value);
  long number = 0;
  char next = ',';
  if (!(text >> number) || ((text >> next) && next != ',')) return 0;
  return number < 1 || number > 1 << 20 ? 0 : static_cast<int>(number);
}

}  // namespace

GroupLimits group_limits(const fs::path& root) {
  GroupLimits limits;
  for (const fs::path& group : groups(root, "cpu", true)) {
    const std::vector<double> quota = numbers_in(group / "cpu.max");  // none if "max 100000"
    if (quota.size() == 2) lower_cores(limits.cores, quota[0], quota[1]);
  }
  for (const fs::path& group : groups(root, "cpu", false)) {
    const std::vector<double> quota = numbers_in(group / "cpu.cfs_quota_us");  // -1: none
    const std::vector<double> period = numbers_in(group / "cpu.cfs_period_us");
    if (!quota.empty() && !period.empty()) lower_cores(limits.cores, quota[0], period[0]);
  }
  for (const fs::path& group : groups(root, "memory", true)) {
    lower_memory(limits.memory, group / "memory.max");
    lower_memory(limits.memory, group / "memory.high");  // above it the kernel slows us down
  }
  for (const fs::path& group : groups(root, "memory", false)) {
    lower_memory(limits.memory, group / "memory.limit_in_bytes");
  }
  return limits;
}

int available_threads(const fs::path& root) {
  int threads = cores_of_affinity();
  for (const int limit :
       {group_limits(root).cores, threads_in("OMP_NUM_THREADS"), threads_in("OMP_THREAD_LIMIT")}) {
    if (limit > 0) threads = std::min(threads, limit);
  }
  return std::max(1, threads);
}

Bytes memory_limit(const fs::path& root) {
  const Bytes machine{static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                      static_cast<std::uint64_t>(sysconf(_SC_PAGE_SIZE))};
  const Bytes granted = group_limits(root).memory;
  return granted.count > 0 ? std::min(machine, granted) : machine;
}

}  // namespace millrace
