#pragma once
// The memory of a training run's model, and what the run takes of a device that has its own.

#include <millrace/training/device_memory.h>
#include <millrace/training/training.h>

#include <string>
#include <vector>

namespace millrace {

/// Of the executor that takes more, where another one takes over: never both at a time.
[[nodiscard]] std::vector<nn::MemoryLine> model_memory(const Training& training);

/// What the run takes of the memory of a device that has its own.
[[nodiscard]] DeviceMemoryPlan device_memory(const Training& training);
/// Throws Error, with the largest batch that fits, where the device has less free.
void check_device_memory(const Training& training);
/// One line: the run's sum, what is free, and what fp32 and fp16 would take; empty if steps read
/// host memory.
[[nodiscard]] std::string describe_device_memory(const Training& training);

}  // namespace millrace
