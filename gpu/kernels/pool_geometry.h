#pragma once
// Where the windows of pooling lie over an image, for host and device: in part over padding; what
// counts is the part over the image.

#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/pooling.h>

#include <cstdint>

#ifdef __CUDACC__

namespace millrace::gpu {

/// Pixels or windows along one side: from `begin` to the one before `end`.
struct Range {
  std::int32_t begin, end;
};

/// A side of the image and its windows, in 32 bits: sides are short, and a GPU computes 64 slowly.
struct PoolSide {
  std::int32_t extent, out_extent, size;
  std::int32_t stride;  ///< 0: the side is divided into `out_extent` parts instead
  std::int32_t padding;
  std::int32_t counted;  ///< where the padding that an average counts ends; 0: it counts none

  /// Pixels that an average over window `o` divides by.
  MILLRACE_HOST_DEVICE std::int32_t count(std::int32_t o) const {
    const Range range = pixels(o);
    if (counted == 0) return range.end - range.begin;
    const std::int32_t last = first_pixel(o) + size;
    return (last < counted ? last : counted) - first_pixel(o);
  }
  /// Pixels of the image under window `o`.
  MILLRACE_HOST_DEVICE Range pixels(std::int32_t o) const {
    if (stride == 0) return covering(o, extent, out_extent);
    const std::int32_t first = first_pixel(o);
    const std::int32_t last = first + size;
    return {first < 0 ? 0 : first, last < extent ? last : extent};
  }
  /// Windows over pixel `p`.
  MILLRACE_HOST_DEVICE Range windows(std::int32_t p) const {
    if (stride == 0) return covering(p, out_extent, extent);
    const std::int32_t reach = p + padding;
    const std::int32_t first = reach < size ? 0 : (reach - size) / stride + 1;
    const std::int32_t last = reach / stride + 1;
    return {first, last < out_extent ? last : out_extent};
  }
  /// Of a line that is cut into `of` pieces and into `pieces`, the latter that the i-th of the
  /// former touches.
  MILLRACE_HOST_DEVICE static Range covering(std::int64_t i, std::int64_t pieces, std::int64_t of) {
    return {static_cast<std::int32_t>(i * pieces / of),
            static_cast<std::int32_t>(((i + 1) * pieces + of - 1) / of)};
  }
  MILLRACE_HOST_DEVICE std::int32_t first_pixel(std::int32_t o) const {
    return o * stride - padding;
  }
};

/// Where a chunk of an image of `height` x `width` lies.
struct PoolPlace {
  std::int64_t sample, channel;
  std::int32_t y, x;
};

struct PoolGeometry {
  PoolSide rows, columns;
  std::int64_t stored;

  MILLRACE_HOST_DEVICE static PoolPlace locate(std::int64_t i, std::int64_t chunks, int lanes,
                                               std::int32_t height, std::int32_t width) {
    const auto [pixel, chunk] = divide(i, chunks);
    const auto [row, x] = divide(pixel, width);
    const auto [sample, y] = divide(row, height);
    return {sample, chunk * lanes, static_cast<std::int32_t>(y), static_cast<std::int32_t>(x)};
  }
  template <int N>
  MILLRACE_HOST_DEVICE PoolPlace output_place(std::int64_t i) const {
    return locate(i, stored / N, N, rows.out_extent, columns.out_extent);
  }
  template <int N>
  MILLRACE_HOST_DEVICE PoolPlace input_place(std::int64_t i) const {
    return locate(i, stored / N, N, rows.extent, columns.extent);
  }
  /// The number of a pixel (y, x) in the window at (oy, ox), row-major.
  MILLRACE_HOST_DEVICE std::int32_t place(std::int32_t y, std::int32_t x, std::int32_t oy,
                                          std::int32_t ox) const {
    return (y - rows.first_pixel(oy)) * columns.size + x - columns.first_pixel(ox);
  }
  MILLRACE_HOST_DEVICE std::int64_t input_at(const PoolPlace& at, std::int32_t y,
                                             std::int32_t x) const {
    return ((at.sample * rows.extent + y) * columns.extent + x) * stored + at.channel;
  }
  MILLRACE_HOST_DEVICE std::int64_t output_at(const PoolPlace& at, std::int32_t oy,
                                              std::int32_t ox) const {
    return ((at.sample * rows.out_extent + oy) * columns.out_extent + ox) * stored + at.channel;
  }
};

/// Windows that begin beyond the image, or before it by their own size, have no pixel.
inline void check_side(const char* kernel, std::int64_t extent, std::int64_t out_extent,
                       std::int64_t padding, std::int64_t size, std::int64_t stride) {
  const std::int64_t last = (out_extent - 1) * stride - padding;
  MILLRACE_CHECK(extent > 0 && out_extent > 0 && size > 0 && stride > 0 && padding >= 0 &&
                     padding < size && last < extent && extent < (1 << 24) &&
                     out_extent < (1 << 24) && size < (1 << 24),
                 kernel, ": ", out_extent, " windows of ", size, " in steps of ", stride,
                 " do not lie over ", extent, " pixels padded by ", padding);
}

inline PoolGeometry geometry_of(const char* kernel, Type type, const Pooling& size) {
  MILLRACE_CHECK(size.samples > 0, kernel, ": no samples");
  check_channels(kernel, type, size.stored, size.stored);
  const auto side = [&](std::int64_t extent, std::int64_t out_extent, std::int64_t before,
                        std::int64_t after, std::int64_t window, std::int64_t stride) {
    if (size.adaptive) {
      MILLRACE_CHECK(extent > 0 && out_extent > 0 && extent < (1 << 24) && out_extent < (1 << 24),
                     kernel, ": ", out_extent, " parts of ", extent, " pixels");
      return PoolSide{.extent = static_cast<std::int32_t>(extent),
                      .out_extent = static_cast<std::int32_t>(out_extent),
                      .size = 0,
                      .stride = 0,
                      .padding = 0,
                      .counted = 0};
    }
    check_side(kernel, extent, out_extent, before, window, stride);
    MILLRACE_CHECK(after >= 0 && after < window, kernel, ": ", after, " pixels of padding after ",
                   extent, " are not less than a window of ", window);
    const std::int64_t counted = size.count_padding ? extent + after : 0;
    return PoolSide{.extent = static_cast<std::int32_t>(extent),
                    .out_extent = static_cast<std::int32_t>(out_extent),
                    .size = static_cast<std::int32_t>(window),
                    .stride = static_cast<std::int32_t>(stride),
                    .padding = static_cast<std::int32_t>(before),
                    .counted = static_cast<std::int32_t>(counted)};
  };
  return {.rows = side(size.height, size.out_height, size.top, size.bottom, size.size.rows,
                       size.stride.rows),
          .columns = side(size.width, size.out_width, size.left, size.right, size.size.columns,
                          size.stride.columns),
          .stored = size.stored};
}

inline std::int64_t inputs(const Pooling& size) {
  return size.samples * size.height * size.width * size.stored;
}
inline std::int64_t outputs(const Pooling& size) {
  return size.samples * size.out_height * size.out_width * size.stored;
}

}  // namespace millrace::gpu

#endif  // __CUDACC__
