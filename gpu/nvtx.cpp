#include <millrace/gpu/nvtx.h>

#include <nvtx3/nvToolsExt.h>

namespace millrace::gpu {

void begin_range(const char* name) noexcept {
  (void)nvtxRangePushA(name);
}
void end_range() noexcept {
  (void)nvtxRangePop();
}

}  // namespace millrace::gpu
