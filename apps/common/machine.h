#pragma once
// What this machine is and offers: its processor, memory and a place for what is kept.

#include <millrace/core/bytes.h>
#include <millrace/core/machine_limits.h>  // memory_limit()

#include <filesystem>
#include <string>

namespace millrace::apps {

/// This program's folder in the user's cache, by the rules of the XDG Base Directory Specification;
/// empty where there is no home.
[[nodiscard]] std::filesystem::path cache_folder();

/// The name of the processor, as the system tells it.
[[nodiscard]] std::string cpu_name();

/// Most memory that the process has had resident so far.
[[nodiscard]] Bytes peak_memory();

}  // namespace millrace::apps
