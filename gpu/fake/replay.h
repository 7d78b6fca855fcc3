#pragma once
#include <millrace/gpu/fake/record.h>

#include <functional>
#include <span>

namespace millrace::gpu::recording {

/// RecordingDevice::replay() of a record.
[[nodiscard]] double replay(std::span<const Recorded> record,
                            const std::function<double(const Recorded&)>& duration);

}  // namespace millrace::gpu::recording
