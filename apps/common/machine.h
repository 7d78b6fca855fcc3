#pragma once
// Facts of this machine: its processor and memory.

#include <millrace/core/machine_limits.h>  // memory_limit()

#include <string>

namespace millrace::apps {

/// The name of the processor, from the system.
[[nodiscard]] std::string cpu_name();

}  // namespace millrace::apps
