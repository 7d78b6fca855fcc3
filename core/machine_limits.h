#pragma once
// The part of the machine that this process may use, which in a container or under a batch system
// is often not all of it.

#include <millrace/core/bytes.h>

#include <filesystem>

namespace millrace {

/// What the control groups grant that this process is in, its own and all above them, of versions 1
/// and 2 alike. 0: no limit.
struct GroupLimits {
  int cores = 0;  ///< the CPU quota, rounded up
  Bytes memory{};
};

/// Of groups that are mounted. `root` is where /proc and /sys lie; tests have folders of their own.
/// What cannot be read sets no limit.
[[nodiscard]] GroupLimits group_limits(const std::filesystem::path& root = "/");

/// Threads that may compute at a time: the least of the cores in the affinity mask, the groups'
/// quota, OMP_NUM_THREADS (its first number) and OMP_THREAD_LIMIT; at least 1. Values of these
/// that are not numbers above 0 say nothing, as for OpenMP.
[[nodiscard]] int available_threads(const std::filesystem::path& root = "/");

/// The memory that this process may use: the least of the machine's and what its groups grant.
[[nodiscard]] Bytes memory_limit(const std::filesystem::path& root = "/");

}  // namespace millrace
