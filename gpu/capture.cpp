#include <millrace/gpu/capture.h>

#include <exception>

namespace millrace::gpu {

std::unique_ptr<StepGraph> captured(Device& device, Stream& stream,
                                    const std::function<void()>& queue) {
  device.begin_capture(stream);
  try {
    queue();
  } catch (...) {
    try {
      (void)device.end_capture(stream);
    } catch (const std::exception&) {  // what was captured is broken, as was said already
    }
    throw;
  }
  return device.end_capture(stream);
}

}  // namespace millrace::gpu
