#pragma once
// The device memory of commands that only evaluate, compared with what is free there.

#include <millrace/training/one_pass.h>

namespace millrace::apps {

/// Throws as DeviceMemoryPlan::check() where the model and its batches are more than the device has
/// free.
void check_evaluation_memory(const OnePass& pass);

}  // namespace millrace::apps
