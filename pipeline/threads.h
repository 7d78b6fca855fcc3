#pragma once
// How many cores this process may use, which in a container is often fewer than the machine has.

namespace millrace {

/// The smaller of the affinity mask's cores and the CPU quota of the cgroup (rounded up), at
/// least 1.
[[nodiscard]] int available_threads();

}  // namespace millrace
