#pragma once
// From a functor to a gpu::Kernel. A functor is a struct of pointers and numbers with
//   MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const;
// called once for each i in [0, count), in any order. The same function runs on the GPU and in a
// loop on the host. Only .cu files make launches; what functors need is in element.h and chunk.h.
// A functor is put together from memory that a Launcher hands out: it checks it, gives it the
// functor's type, and notes what the kernel reads and writes.

#include <millrace/core/error.h>
#include <millrace/core/host_device.h>
#include <millrace/gpu/kernels/chunk.h>
#include <millrace/gpu/kernels/plane.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace millrace::gpu {

/// Threads of a block. Four blocks fit a multiprocessor of any GPU, so a kernel has 64 registers.
inline constexpr int kThreads = 256;
inline constexpr int kBlocks = 4;
/// Enough to fill every GPU several times; with more work than that, threads continue in strides.
inline constexpr std::int64_t kMostBlocks = 16384;

#ifdef __CUDACC__

template <class F>
__global__ void __launch_bounds__(kThreads, kBlocks)
    run_on_device(const __grid_constant__ F functor, std::int64_t count) {
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += step) {
    functor(i);
  }
}

template <class F>
int launch_on_device(const void* arguments, std::int64_t count, void* stream) {
  if (count <= 0) return cudaSuccess;
  const std::int64_t blocks = std::min((count + kThreads - 1) / kThreads, kMostBlocks);
  void* parameters[] = {const_cast<void*>(arguments), &count};
  return cudaLaunchKernel(reinterpret_cast<const void*>(&run_on_device<F>),
                          dim3(static_cast<unsigned>(blocks)), dim3(kThreads), parameters, 0,
                          static_cast<cudaStream_t>(stream));
}

template <class F>
void run_on_host(const void* arguments, std::int64_t count) {
  const F& functor = *static_cast<const F*>(arguments);
  for (std::int64_t i = 0; i < count; ++i) functor(i);
}

/// Stored channels are whole chunks of 16 bytes of the storage type, which is what a call handles.
inline void check_channels(const char* kernel, Type type, std::int64_t channels,
                           std::int64_t stored) {
  const auto chunk = 16 / static_cast<std::int64_t>(size_of(type));
  MILLRACE_CHECK(channels > 0 && channels <= stored && stored % chunk == 0, kernel, ": ", channels,
                 " channels of ", to_string(type), " need a multiple of ", chunk,
                 " stored ones, not ", stored);
}

/// Of one launch.
class Launcher {
 public:
  explicit Launcher(const char* kernel) : kernel_(kernel) {}
  Launcher(const char* kernel, Type /*type*/, std::int64_t elements)
      : kernel_(kernel), elements_(elements) {}
  Launcher(const char* kernel, Type type, const Plane& plane)
      : kernel_(kernel), elements_(plane.elements()) {
    MILLRACE_CHECK(plane.rows > 0, kernel, ": no rows");
    check_channels(kernel, type, plane.channels, plane.stored);
  }

  /// Memory of `count` T that must be there, at a multiple of 16 bytes; of the elements where no
  /// count is said.
  template <class T>
  [[nodiscard]] const T* reads(const void* memory, std::int64_t count) {
    check(memory);
    return reads_any<T>(memory, count);
  }
  template <class T>
  [[nodiscard]] T* writes(void* memory, std::int64_t count) {
    check(memory);
    return writes_any<T>(memory, count);
  }
  template <class T>
  [[nodiscard]] const T* reads(const void* memory) {
    return reads<T>(memory, elements_);
  }
  template <class T>
  [[nodiscard]] T* writes(void* memory) {
    return writes<T>(memory, elements_);
  }
  template <class T>
  [[nodiscard]] T* updates(void* memory, std::int64_t count) {
    check(memory);
    return updates_any<T>(memory, count);
  }
  /// Memory that may lie anywhere, or be absent.
  template <class T>
  [[nodiscard]] const T* reads_any(const void* memory, std::int64_t count = 1) {
    noted_.reads(memory, bytes<T>(count));
    return static_cast<const T*>(memory);
  }
  template <class T>
  [[nodiscard]] T* writes_any(void* memory, std::int64_t count = 1) {
    noted_.writes(memory, bytes<T>(count));
    return static_cast<T*>(memory);
  }
  template <class T>
  [[nodiscard]] T* updates_any(void* memory, std::int64_t count = 1) {
    noted_.reads(memory, bytes<T>(count));
    return writes_any<T>(memory, count);
  }

  /// When all memory is noted: `count` calls of the functor. A functor type has one name.
  template <class F>
  [[nodiscard]] Launch calls(const F& functor, std::int64_t count) const {
    static const Kernel kernel{kernel_, &launch_on_device<F>, &run_on_host<F>};
    return launch(kernel, functor, count);
  }
  /// A call for each chunk of the elements.
  template <class T, class F>
  [[nodiscard]] Launch chunks(const F& functor) const {
    return calls(functor, chunks_of(elements_, kChunk<T>));
  }
  template <class F>
  [[nodiscard]] Launch launch(const Kernel& kernel, const F& functor, std::int64_t count) const {
    Launch made = Launch::of(kernel, functor, count);
    made.accesses = noted_.accesses;
    made.access_count = noted_.access_count;
    return made;
  }
  [[nodiscard]] const char* kernel() const { return kernel_; }

 private:
  template <class T>
  static std::size_t bytes(std::int64_t count) {
    return static_cast<std::size_t>(count) * sizeof(T);
  }
  void check(const void* memory) const {
    MILLRACE_CHECK(memory != nullptr && reinterpret_cast<std::uintptr_t>(memory) % 16 == 0, kernel_,
                   ": memory must begin at a multiple of 16 bytes, not at ", memory);
  }

  const char* kernel_;
  std::int64_t elements_ = 0;  // of the plane, or as said
  Launch noted_;
};

/// Calls body.template operator()<T>(launcher) with the C++ type of a storage type:
/// typed("relu", type, n, [&]<class T>(Launcher& at) {
///   return at.chunks<T>(Relu<T>{at.reads<T>(x), at.writes<T>(y), n});
/// }). Braces keep the order in which memory is checked. `size`: how many elements, or a plane of
/// them, which is checked too.
template <class Size, class Body>
Launch typed(const char* kernel, Type type, const Size& size, const Body& body) {
  return with_type(type, [&]<class T>() {
    Launcher at(kernel, type, size);
    return body.template operator()<T>(at);
  });
}

#endif  // __CUDACC__

}  // namespace millrace::gpu
