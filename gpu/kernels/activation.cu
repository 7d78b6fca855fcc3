#include <millrace/gpu/kernels/activation.h>

#include <millrace/core/error.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/nn/layers/kinds.h>

#include <cmath>
#include <string>
#include <type_traits>

namespace millrace::gpu {

// ---- bias ---------------------------------------------------------------------------------------

/// A chunk of channels a call. X is the type of x and y, T that of the bias.
template <class X, class T>
struct AddBias {
  const X* x;
  const T* bias;
  X* y;
  std::int64_t channels, stored;
  bool relu;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    const auto b = load_lanes<kLanes>(bias + first);
    for (int k = 0; k < kLanes; ++k) {
      values[k] += b[k];
      if (relu) values[k] = rectified(values[k]);
    }
    store_lanes(y + i * kLanes, values, channels - first);
  }
};

Launch add_bias(Type type, const void* x, const void* bias, void* y, const Plane& plane,
                bool relu) {
  return typed("add_bias", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(AddBias<T, T>{at.reads<T>(x), at.reads<T>(bias, plane.stored),
                                      at.writes<T>(y), plane.channels, plane.stored, relu});
  });
}

Launch add_bias_to_float(Type type, const float* x, const void* bias, float* y,
                         const Plane& plane) {
  return typed("add_bias_to_float", type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(AddBias<float, T>{at.reads<float>(x), at.reads<T>(bias, plane.stored),
                                          at.writes<float>(y), plane.channels, plane.stored,
                                          false});
  });
}

// ---- relu ---------------------------------------------------------------------------------------

/// A chunk of elements a call.
template <class T>
struct Relu {
  const T* x;
  T* y;
  std::int64_t elements;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    auto values = read_chunk<kSize>(x, i * kSize, elements);
    for (int k = 0; k < kSize; ++k) store(&values[k], rectified(load(&values[k])));
    write_chunk(y, i * kSize, elements, values);
  }
};

template <class T>
struct ReluGradient {
  const T* dy;
  const T* y;
  T* dx;
  std::int64_t elements;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kSize = kChunk<T>;
    auto values = read_chunk<kSize>(dy, i * kSize, elements);
    const auto kept = read_chunk<kSize>(y, i * kSize, elements);
    for (int k = 0; k < kSize; ++k) {
      if (!(load(&kept[k]) > 0)) values[k] = T{};
    }
    write_chunk(dx, i * kSize, elements, values);
  }
};

Launch relu_forward(Type type, const void* x, void* y, std::int64_t elements) {
  return typed("relu", type, elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(Relu<T>{at.reads<T>(x), at.writes<T>(y), elements});
  });
}

Launch relu_backward(Type type, const void* dy, const void* y, void* dx, std::int64_t elements) {
  return typed("relu_backward", type, elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(
        ReluGradient<T>{at.reads<T>(dy), at.reads<T>(y), at.writes<T>(dx), elements});
  });
}

// ---- elementwise kinds --------------------------------------------------------------------------

/// A chunk of channels a call.
template <class T, class Kind>
struct Elementwise {
  Kind kind;
  const T* x;
  T* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(x + i * kLanes);
    for (int k = 0; k < kLanes; ++k) values[k] = kind.value(values[k]);
    store_lanes(y + i * kLanes, values, channels - first);
  }
};

template <class T, class Kind>
struct ElementwiseGradient {
  Kind kind;
  const T* dy;
  const T* read;
  T* dx;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    constexpr int kLanes = kChunk<T>;
    const std::int64_t first = divide(i, stored / kLanes).remainder * kLanes;
    auto values = load_lanes<kLanes>(dy + i * kLanes);
    const auto at = load_lanes<kLanes>(read + i * kLanes);
    for (int k = 0; k < kLanes; ++k) values[k] = kind.gradient(values[k], at[k]);
    store_lanes(dx + i * kLanes, values, channels - first);
  }
};

template <class Kind>
Launch elementwise_forward(const Kind& kind, Type type, const void* x, void* y,
                           const Plane& plane) {
  return typed(Kind::kFacts.name, type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(
        Elementwise<T, Kind>{kind, at.reads<T>(x), at.writes<T>(y), plane.channels, plane.stored});
  });
}

template <class Kind>
Launch elementwise_backward(const Kind& kind, Type type, const void* dy, const void* read, void* dx,
                            const Plane& plane) {
  static const std::string name = concat(Kind::kFacts.name, "_backward");
  return typed(name.c_str(), type, plane, [&]<class T>(Launcher& at) {
    return at.chunks<T>(ElementwiseGradient<T, Kind>{
        kind, at.reads<T>(dy), at.reads<T>(read), at.writes<T>(dx), plane.channels, plane.stored});
  });
}

#define MILLRACE_ELEMENTWISE_LAUNCHES(Kind)                                                     \
  template Launch elementwise_forward(const nn::Kind&, Type, const void*, void*, const Plane&); \
  template Launch elementwise_backward(const nn::Kind&, Type, const void*, const void*, void*,  \
                                       const Plane&);
MILLRACE_ELEMENTWISE_KINDS(MILLRACE_ELEMENTWISE_LAUNCHES)

// ---- softmax ------------------------------------------------------------------------------------

/// Only outputs of a model and the layers of rare ones are a softmax of their own (the loss has its
/// own), so a thread has a row.
template <class From, class To>
struct Softmax {
  const From* x;
  To* y;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t row) const {
    const From* const in = x + row * stored;
    To* const out = y + row * stored;
    float highest = load(in);
    for (std::int64_t c = 1; c < channels; ++c) {
      const float value = load(in + c);
      if (highest < value) highest = value;
    }
    float sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) sum += std::exp(load(in + c) - highest);
    for (std::int64_t c = 0; c < channels; ++c) {
      store(out + c, std::exp(load(in + c) - highest) / sum);
    }
    for (std::int64_t c = channels; c < stored; ++c) store(out + c, 0.0F);
  }
};

template <class T>
struct SoftmaxGradient {
  const T* dy;
  const T* y;
  T* dx;
  std::int64_t channels, stored;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t row) const {
    const std::int64_t first = row * stored;
    float sum = 0;
    for (std::int64_t c = 0; c < channels; ++c) sum += load(dy + first + c) * load(y + first + c);
    for (std::int64_t c = 0; c < channels; ++c) {
      store(dx + first + c, load(y + first + c) * (load(dy + first + c) - sum));
    }
    for (std::int64_t c = channels; c < stored; ++c) store(dx + first + c, 0.0F);
  }
};

Launch softmax_forward(Type from, Type to, const void* x, void* y, const Plane& plane) {
  MILLRACE_CHECK(from == to || from == Type::f32 || to == Type::f32,
                 "softmax goes from or to f32 where types differ, not from ", to_string(from),
                 " to ", to_string(to));
  const std::int64_t n = plane.elements();
  return typed("softmax", from, plane, [&]<class From>(Launcher& at) {
    return with_type(to, [&]<class To>() -> Launch {
      if constexpr (std::is_same_v<From, To> || std::is_same_v<From, float> ||
                    std::is_same_v<To, float>) {
        return at.calls(Softmax<From, To>{at.reads_any<From>(x, n), at.writes_any<To>(y, n),
                                          plane.channels, plane.stored},
                        plane.rows);
      }
      return {};  // refused above
    });
  });
}

Launch softmax_backward(Type type, const void* dy, const void* y, void* dx, const Plane& plane) {
  const std::int64_t n = plane.elements();
  return typed("softmax_backward", type, plane, [&]<class T>(Launcher& at) {
    return at.calls(SoftmaxGradient<T>{at.reads_any<T>(dy, n), at.reads_any<T>(y, n),
                                       at.writes_any<T>(dx, n), plane.channels, plane.stored},
                    plane.rows);
  });
}

}  // namespace millrace::gpu
