#include <millrace/gpu/cuda/nvtx.h>

// Part of the CUDA toolkit, though not of all its packages.
#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define MILLRACE_HAS_NVTX 1
#endif

namespace millrace::gpu {

#if defined(MILLRACE_HAS_NVTX)
void begin_range(const char* name) noexcept {
  (void)nvtxRangePushA(name);
}
void end_range() noexcept {
  (void)nvtxRangePop();
}
#else
void begin_range(const char*) noexcept {}
void end_range() noexcept {}
#endif

}  // namespace millrace::gpu
