#pragma once
// What this machine offers: memory limits and devices.

#include <millrace/core/bytes.h>
#include <millrace/nn/engine.h>

#include <memory>
#include <string>

namespace millrace::apps {

/// The memory that this process may use: the smaller of the machine's and its cgroup's.
[[nodiscard]] Bytes memory_limit();

/// The engine for "auto", "cpu" or "gpu". Throws Error where there is no such device; never falls
/// back from one that was asked for.
[[nodiscard]] std::shared_ptr<const nn::Engine> engine_for(const std::string& device,
                                                           int compute_threads);

/// "" or why there is no GPU to use.
[[nodiscard]] std::string no_gpu_reason();

/// The name of the processor, as the system tells it.
[[nodiscard]] std::string cpu_name();

/// Most memory that the process has had resident so far.
[[nodiscard]] Bytes peak_memory();

}  // namespace millrace::apps
