#include <millrace/gpu/kernels/layout.h>

#include <millrace/gpu/kernels/kernel.h>

namespace millrace::gpu {

/// An element of y a call.
template <class T>
struct Unpack {
  const T* x;
  float* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    const auto [row, c] = divide(i, channels);
    y[i] = load(x + row * stored + c);
  }
};

/// A chunk of y a call.
template <class T>
struct Pack {
  const float* x;
  T* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    Lanes<kLanes> values;
    for (int k = 0; k < kLanes; ++k) {
      const std::int64_t c = chunk * kLanes + k;
      values[k] = c < channels ? x[row * channels + c] : 0.0F;
    }
    store_lanes(y + i * kLanes, values);
  }
};

/// A chunk of features a call.
template <class T>
struct Flatten {
  const T* x;
  T* y;
  std::int64_t pixels, channels, stored, width;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [n, chunk] = divide(i, width / kLanes);
    auto [pixel, c] = divide(chunk * kLanes, channels);
    Chunk<T, kLanes> features{};
    for (int k = 0; k < kLanes && pixel < pixels; ++k) {
      features[k] = x[(n * pixels + pixel) * stored + c];
      if (++c == channels) {
        c = 0;
        ++pixel;
      }
    }
    *reinterpret_cast<Chunk<T, kLanes>*>(y + i * kLanes) = features;
  }
};

/// A chunk of channels a call.
template <class T>
struct Unflatten {
  const T* dy;
  T* dx;
  std::int64_t pixels, channels, stored, width;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const auto [n, pixel] = divide(row, pixels);
    const std::int64_t first = chunk * kLanes;
    Chunk<T, kLanes> values{};
    for (int k = 0; k < kLanes; ++k) {
      if (first + k < channels) values[k] = dy[n * width + pixel * channels + first + k];
    }
    *reinterpret_cast<Chunk<T, kLanes>*>(dx + i * kLanes) = values;
  }
};

Launch unpack(Type type, const void* x, float* y, const Plane& plane) {
  const std::int64_t n = plane.rows * plane.channels;
  return typed("unpack", type, plane, [&]<class T>(Launcher& at) {
    return at.calls(Unpack<T>{at.reads_any<T>(x, plane.elements()), at.writes_any<float>(y, n),
                              plane.channels, plane.stored},
                    n);
  });
}

Launch pack(Type type, const float* x, void* y, const Plane& plane) {
  return typed("pack", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(Pack<T>{at.reads_any<float>(x, plane.rows * plane.channels),
                                at.writes<T>(y), plane.channels, plane.stored});
  });
}

namespace {

void check(const char* kernel, Type type, const Flattening& size) {
  MILLRACE_CHECK(size.samples > 0 && size.pixels > 0, kernel, ": no pixels");
  check_channels(kernel, type, size.channels, size.stored);
  check_channels(kernel, type, size.pixels * size.channels, size.width);
}

}  // namespace

Launch flatten(Type type, const void* x, void* y, const Flattening& size) {
  check("flatten", type, size);
  return typed("flatten", type, size.samples * size.width, [&]<class T>(Launcher& at) {
    return at.chunks<T>(Flatten<T>{at.reads_any<T>(x, size.samples * size.pixels * size.stored),
                                   at.writes<T>(y), size.pixels, size.channels, size.stored,
                                   size.width});
  });
}

Launch unflatten(Type type, const void* dy, void* dx, const Flattening& size) {
  check("unflatten", type, size);
  const std::int64_t elements = size.samples * size.pixels * size.stored;
  return typed("unflatten", type, elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(Unflatten<T>{at.reads_any<T>(dy, size.samples * size.width),
                                     at.writes<T>(dx), size.pixels, size.channels, size.stored,
                                     size.width});
  });
}

}  // namespace millrace::gpu
