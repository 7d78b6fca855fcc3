#pragma once
// What this machine is and offers: its processor and memory.

#include <millrace/core/machine_limits.h>  // memory_limit()

#include <string>

namespace millrace::apps {

/// The name of the processor, as the system tells it.
[[nodiscard]] std::string cpu_name();

}  // namespace millrace::apps
