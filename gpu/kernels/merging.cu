#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/merging.h>

namespace millrace::gpu {

// ---- element by element -------------------------------------------------------------------------

/// A chunk of elements a call.
template <class T>
struct Sum {
  const T* terms[kMostTerms];
  int count;
  T* y;
  std::int64_t elements;
  bool relu;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    auto values = floats(read_chunk<kSize>(terms[0], i * kSize, elements));
    for (int term = 1; term < count; ++term) {
      add(values, 1.0F, floats(read_chunk<kSize>(terms[term], i * kSize, elements)));
    }
    for (int k = 0; k < kSize && relu; ++k) values.values[k] = rectified(values.values[k]);
    write_chunk(y, i * kSize, elements, rounded<T>(values));
  }
};

template <class T>
struct SumAndReluGradient {
  const T* a;
  const T* b;
  const T* y;
  T* dx;
  std::int64_t elements;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    auto values = floats(read_chunk<kSize>(a, i * kSize, elements));
    const auto other = floats(read_chunk<kSize>(b, i * kSize, elements));
    const auto made = floats(read_chunk<kSize>(y, i * kSize, elements));
    for (int k = 0; k < kSize; ++k) {
      values.values[k] = made.values[k] > 0 ? values.values[k] + other.values[k] : 0.0F;
    }
    write_chunk(dx, i * kSize, elements, rounded<T>(values));
  }
};

template <class T>
struct Product {
  const T* a;
  const T* b;
  T* y;
  std::int64_t elements;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    auto values = floats(read_chunk<kSize>(a, i * kSize, elements));
    const auto other = floats(read_chunk<kSize>(b, i * kSize, elements));
    for (int k = 0; k < kSize; ++k) values.values[k] *= other.values[k];
    write_chunk(y, i * kSize, elements, rounded<T>(values));
  }
};

Launch sum(Type type, std::span<const void* const> terms, void* y, std::int64_t elements,
           bool relu) {
  MILLRACE_CHECK(terms.size() >= 2 && terms.size() <= kMostTerms, "a sum of ", terms.size(),
                 " terms");
  return typed("sum", type, elements, [&]<class T>(Launcher& at) {
    Sum<T> functor{{}, static_cast<int>(terms.size()), nullptr, elements, relu};
    for (std::size_t i = 0; i < terms.size(); ++i) functor.terms[i] = at.reads<T>(terms[i]);
    functor.y = at.writes<T>(y);
    return at.chunks<T>(functor);
  });
}

Launch sum_and_relu_backward(Type type, const void* a, const void* b, const void* y, void* dx,
                             std::int64_t elements) {
  return typed("sum_and_relu_backward", type, elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(SumAndReluGradient<T>{at.reads<T>(a), at.reads<T>(b), at.reads<T>(y),
                                              at.writes<T>(dx), elements});
  });
}

Launch product(Type type, const void* a, const void* b, void* y, std::int64_t elements) {
  return typed("product", type, elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(Product<T>{at.reads<T>(a), at.reads<T>(b), at.writes<T>(y), elements});
  });
}

// ---- one factor a channel -----------------------------------------------------------------------

/// A chunk of channels a call. What pads them is zero on both sides.
template <class T>
struct ChannelProducts {
  const T* x;
  const T* factors;
  T* y;
  std::int64_t stored, pixels, channels;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [row, chunk] = divide(i, stored / kLanes);
    const std::int64_t first = chunk * kLanes;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    const auto f = load_lanes<kLanes>(factors + divide(row, pixels).quotient * stored + first);
    for (int k = 0; k < kLanes; ++k) values[k] *= f[k];
    store_lanes(y + i * kLanes, values, channels - first);
  }
};

/// A chunk of channels of a sample a call, which goes over its pixels.
template <class T>
struct ChannelProductSums {
  const T* a;
  const T* b;
  T* sums;
  std::int64_t stored, pixels, channels;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const auto [sample, chunk] = divide(i, stored / kLanes);
    const std::int64_t first = chunk * kLanes;
    std::int64_t at = sample * pixels * stored + first;
    auto total = load_lanes<kLanes>(a + at);
    const auto factors = load_lanes<kLanes>(b + at);
    for (int k = 0; k < kLanes; ++k) total[k] *= factors[k];
    for (std::int64_t p = 1; p < pixels; ++p) {
      at += stored;
      const auto left = load_lanes<kLanes>(a + at);
      const auto right = load_lanes<kLanes>(b + at);
      for (int k = 0; k < kLanes; ++k) total[k] += left[k] * right[k];
    }
    store_lanes(sums + i * kLanes, total, channels - first);
  }
};

Launch channel_products(Type type, const void* x, const void* factors, void* y, const Plane& plane,
                        std::int64_t pixels) {
  return typed("channel_products", type, plane, [&]<class T>(Launcher& at) {
    const std::int64_t count = plane.rows / pixels * plane.stored;
    return at.chunks<T>(ChannelProducts<T>{at.reads<T>(x), at.reads<T>(factors, count),
                                           at.writes<T>(y), plane.stored, pixels, plane.channels});
  });
}

Launch channel_product_sums(Type type, const void* a, const void* b, void* sums, const Plane& plane,
                            std::int64_t pixels) {
  return typed("channel_product_sums", type, plane, [&]<class T>(Launcher& at) {
    const std::int64_t count = plane.rows / pixels * plane.stored;
    return at.calls(ChannelProductSums<T>{at.reads<T>(a), at.reads<T>(b), at.writes<T>(sums, count),
                                          plane.stored, pixels, plane.channels},
                    count / kChunk<T>);
  });
}

// ---- side by side -------------------------------------------------------------------------------

/// An element a call.
template <class T>
struct CopyChannels {
  const T* x;
  T* y;
  ChannelCopy how;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    const auto [row, channel] = divide(i, how.channels + how.zeros);
    T value{};
    if (channel < how.channels) value = x[row * how.from_stored + how.from_first + channel];
    y[row * how.to_stored + how.to_first + channel] = value;
  }
};

Launch copy_channels(Type type, const void* x, void* y, const ChannelCopy& how) {
  MILLRACE_CHECK(how.from_first + how.channels <= how.from_stored &&
                     how.to_first + how.channels + how.zeros <= how.to_stored,
                 "channels that are copied lie in their rows");
  return typed("copy_channels", type, how.rows, [&]<class T>(Launcher& at) {
    return at.calls(CopyChannels<T>{at.reads<T>(x, how.rows * how.from_stored),
                                    at.writes<T>(y, how.rows * how.to_stored), how},
                    how.rows * (how.channels + how.zeros));
  });
}

}  // namespace millrace::gpu
