#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/arguments.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/pooling.h>

namespace millrace::gpu {
namespace {

/// Windows that begin beyond the image, or before it by their own size, have no pixel.
void check_side(const char* kernel, std::int64_t extent, std::int64_t out_extent,
                std::int64_t padding, const Pooling& size) {
  const std::int64_t last = (out_extent - 1) * size.stride - padding;
  MILLRACE_CHECK(extent > 0 && out_extent > 0 && size.size > 0 && size.stride > 0 && padding >= 0 &&
                     padding < size.size && last < extent && extent < (1 << 24) &&
                     out_extent < (1 << 24),
                 kernel, ": ", out_extent, " windows of ", size.size, " in steps of ", size.stride,
                 " do not lie over ", extent, " pixels padded by ", padding);
}

PoolGeometry geometry_of(const char* kernel, Type type, const Pooling& size) {
  MILLRACE_CHECK(size.samples > 0, kernel, ": no samples");
  check_channels(kernel, type, size.stored, size.stored);
  check_side(kernel, size.height, size.out_height, size.top, size);
  check_side(kernel, size.width, size.out_width, size.left, size);
  const auto side = [&size](std::int64_t extent, std::int64_t out_extent, std::int64_t padding) {
    return PoolSide{.extent = static_cast<std::int32_t>(extent),
                    .out_extent = static_cast<std::int32_t>(out_extent),
                    .size = static_cast<std::int32_t>(size.size),
                    .stride = static_cast<std::int32_t>(size.stride),
                    .padding = static_cast<std::int32_t>(padding)};
  };
  return {.rows = side(size.height, size.out_height, size.top),
          .columns = side(size.width, size.out_width, size.left),
          .stored = size.stored};
}

std::int64_t inputs(const Pooling& size) {
  return size.samples * size.height * size.width * size.stored;
}
std::int64_t outputs(const Pooling& size) {
  return size.samples * size.out_height * size.out_width * size.stored;
}

}  // namespace

Launch max_pool_forward(Type type, const void* x, void* y, std::uint8_t* winners,
                        const Pooling& size) {
  MILLRACE_CHECK(winners == nullptr || size.size <= 16,
                 "max_pool: a byte tells the places of windows up to 16, not of ", size.size);
  const PoolGeometry geometry = geometry_of("max_pool", type, size);
  check_memory("max_pool", {x, y});
  if (winners != nullptr) check_memory("max_pool", {winners});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("max_pool",
                                      MaxPool<T>{geometry, static_cast<const T*>(x),
                                                 static_cast<T*>(y), winners},
                                      outputs(size) / kChunk<T>);
                   })
      .reads(x, bytes_of(type, inputs(size)))
      .writes(y, bytes_of(type, outputs(size)))
      .writes(winners, static_cast<std::size_t>(outputs(size)));
}

Launch max_pool_backward(Type type, const void* dy, const std::uint8_t* winners, void* dx,
                         const Pooling& size) {
  const PoolGeometry geometry = geometry_of("max_pool_backward", type, size);
  check_memory("max_pool_backward", {dy, winners, dx});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("max_pool_backward",
                                      MaxPoolGradient<T>{geometry, static_cast<const T*>(dy),
                                                         winners, static_cast<T*>(dx)},
                                      inputs(size) / kChunk<T>);
                   })
      .reads(dy, bytes_of(type, outputs(size)))
      .reads(winners, static_cast<std::size_t>(outputs(size)))
      .writes(dx, bytes_of(type, inputs(size)));
}

Launch avg_pool_forward(Type type, const void* x, void* y, const Pooling& size) {
  const PoolGeometry geometry = geometry_of("avg_pool", type, size);
  check_memory("avg_pool", {x, y});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of(
                         "avg_pool",
                         AveragePool<T>{geometry, static_cast<const T*>(x), static_cast<T*>(y)},
                         outputs(size) / kChunk<T>);
                   })
      .reads(x, bytes_of(type, inputs(size)))
      .writes(y, bytes_of(type, outputs(size)));
}

Launch avg_pool_backward(Type type, const void* dy, void* dx, const Pooling& size) {
  const PoolGeometry geometry = geometry_of("avg_pool_backward", type, size);
  check_memory("avg_pool_backward", {dy, dx});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("avg_pool_backward",
                                      AveragePoolGradient<T>{geometry, static_cast<const T*>(dy),
                                                             static_cast<T*>(dx)},
                                      inputs(size) / kChunk<T>);
                   })
      .reads(dy, bytes_of(type, outputs(size)))
      .writes(dx, bytes_of(type, inputs(size)));
}

Launch global_avg_pool_forward(Type type, const void* x, void* y, std::int64_t samples,
                               std::int64_t pixels, std::int64_t stored) {
  MILLRACE_CHECK(samples > 0 && pixels > 0, "global_avg_pool: no pixels");
  check_channels("global_avg_pool", type, stored, stored);
  check_memory("global_avg_pool", {x, y});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("global_avg_pool",
                                      GlobalAverage<T>{static_cast<const T*>(x), static_cast<T*>(y),
                                                       pixels, stored},
                                      samples * stored / kChunk<T>);
                   })
      .reads(x, bytes_of(type, samples * pixels * stored))
      .writes(y, bytes_of(type, samples * stored));
}

Launch global_avg_pool_backward(Type type, const void* dy, void* dx, std::int64_t samples,
                                std::int64_t pixels, std::int64_t stored) {
  MILLRACE_CHECK(samples > 0 && pixels > 0, "global_avg_pool_backward: no pixels");
  check_channels("global_avg_pool_backward", type, stored, stored);
  check_memory("global_avg_pool_backward", {dy, dx});
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("global_avg_pool_backward",
                                      GlobalAverageGradient<T>{static_cast<const T*>(dy),
                                                               static_cast<T*>(dx), pixels, stored},
                                      samples * pixels * stored / kChunk<T>);
                   })
      .reads(dy, bytes_of(type, samples * stored))
      .writes(dx, bytes_of(type, samples * pixels * stored));
}

}  // namespace millrace::gpu
