#pragma once
// Memory in which tests run launches: it sees to it that a launch reads and writes what it declares
// and nothing else. Values go in and out as float64, rounded to the storage type.

#include <millrace/core/half.h>
#include <millrace/core/random.h>
#include <millrace/gpu/kernels/plane.h>
#include <millrace/gpu/scalars.h>

#include "catch.h"
#include "gpu/kernel_device.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

namespace millrace::gpu::test {

using Doubles = std::vector<double>;

inline std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

inline double rounded(Type type, double value) {
  const auto single = static_cast<float>(value);
  if (type == Type::f16) return double{float_from_f16(f16_from_float(single))};
  if (type == Type::bf16) return double{float_from_bf16(bf16_from_float(single))};
  return double{single};
}

/// Values of the type in [low, high).
inline Doubles noise(Type type, std::int64_t count, std::uint64_t seed, double low = -1,
                     double high = 1) {
  Random random(seed, 0, 0, Purpose::user);
  Doubles values(index(count));
  for (double& value : values) value = rounded(type, random.uniform(low, high));
  return values;
}

class KernelMemory {
 public:
  explicit KernelMemory(std::size_t bytes = std::size_t{1} << 18)
      : bytes_(bytes, 255, kernel_memory()) {}

  /// Poisoned: every element is a NaN, every byte 255.
  template <class T = void>
  T* take(std::size_t size) {
    const std::size_t begin = used_;
    used_ += (size + kGuard + 63) / 64 * 64;
    REQUIRE(used_ <= bytes_.size());
    return reinterpret_cast<T*>(bytes_.data() + begin);
  }
  template <class T = void>
  T* take(Type type, std::int64_t elements) {
    return take<T>(index(elements) * size_of(type));
  }
  template <class T = void>
  T* put(Type type, const Doubles& values) {
    void* const memory = take(type, static_cast<std::int64_t>(values.size()));
    for (std::size_t i = 0; i < values.size(); ++i) set(type, memory, i, values[i]);
    return static_cast<T*>(memory);
  }
  /// Rows of [channels] as a plane; what pads them is `padding`.
  template <class T = void>
  T* put(Type type, const Plane& plane, const Doubles& values,
         double padding = std::numeric_limits<double>::quiet_NaN()) {
    Doubles stored(index(plane.elements()), padding);
    for (std::size_t i = 0; i < values.size(); ++i) stored[at(plane, i)] = values[i];
    return put<T>(type, stored);
  }
  Scalars* scalars(std::int64_t samples) {
    auto* const scalars = take<Scalars>(sizeof(Scalars));
    *scalars = Scalars{};
    scalars->samples = samples;
    return scalars;
  }

  [[nodiscard]] static Doubles get(Type type, const void* memory, std::int64_t elements) {
    Doubles values(index(elements));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = read(type, memory, i);
    return values;
  }
  /// The channels that count; those that pad must be zero.
  [[nodiscard]] static Doubles get(Type type, const void* memory, const Plane& plane) {
    const Doubles stored = get(type, memory, plane.elements());
    Doubles values;
    std::int64_t padded = 0;
    for (std::size_t i = 0; i < stored.size(); ++i) {
      if (static_cast<std::int64_t>(i) % plane.stored < plane.channels) {
        values.push_back(stored[i]);
      } else if (stored[i] != 0) {
        ++padded;
      }
    }
    CHECK(padded == 0);
    return values;
  }

  /// Twice from the same state, the second time with everything poisoned that the launch does not
  /// say it reads: what it writes must be the same, and what it does not say it writes untouched.
  void run(const Launch& launch) {
    const std::pmr::vector<unsigned char> before = bytes_;
    run_kernel(launch);
    const std::pmr::vector<unsigned char> after = bytes_;
    const std::vector<bool> reads = marked(launch, false), writes = marked(launch, true);
    for (std::size_t i = 0; i < used_; ++i) bytes_[i] = reads[i] ? before[i] : 255;
    run_kernel(launch);
    std::size_t strayed = 0, changed = 0;
    for (std::size_t i = 0; i < used_; ++i) {
      if (!writes[i] && after[i] != before[i]) ++strayed;
      if (writes[i] && bytes_[i] != after[i]) ++changed;
    }
    INFO(launch.kernel->name);
    CHECK(strayed == 0);  // bytes written beyond what was declared
    CHECK(changed == 0);  // bytes that depend on more than was declared
    bytes_ = after;
  }

 private:
  static constexpr std::size_t kGuard = 64;

  static std::size_t at(const Plane& plane, std::size_t i) {
    const std::size_t channels = index(plane.channels);
    return i / channels * index(plane.stored) + i % channels;
  }
  static void set(Type type, void* memory, std::size_t i, double value) {
    const auto single = static_cast<float>(value);
    switch (type) {
      case Type::u8:
        static_cast<std::uint8_t*>(memory)[i] = static_cast<std::uint8_t>(value);
        break;
      case Type::f16: static_cast<std::uint16_t*>(memory)[i] = f16_from_float(single); break;
      case Type::bf16: static_cast<std::uint16_t*>(memory)[i] = bf16_from_float(single); break;
      default: static_cast<float*>(memory)[i] = single;
    }
  }
  static double read(Type type, const void* memory, std::size_t i) {
    switch (type) {
      case Type::u8: return static_cast<const std::uint8_t*>(memory)[i];
      case Type::f16: return double{float_from_f16(static_cast<const std::uint16_t*>(memory)[i])};
      case Type::bf16: return double{float_from_bf16(static_cast<const std::uint16_t*>(memory)[i])};
      default: return double{static_cast<const float*>(memory)[i]};
    }
  }
  std::vector<bool> marked(const Launch& launch, bool writes) {
    std::vector<bool> marks(bytes_.size());
    for (const Access& access : launch.touched()) {
      const auto begin = static_cast<const unsigned char*>(access.begin) - bytes_.data();
      REQUIRE(begin >= 0);
      REQUIRE(index(begin) + access.bytes <= used_);
      if (access.writes != writes) continue;
      std::fill_n(marks.begin() + begin, access.bytes, true);
    }
    return marks;
  }

  std::pmr::vector<unsigned char> bytes_;
  std::size_t used_ = 0;
};

/// What one rounding to the type can make of a value at most.
inline double half_unit(Type type, double value) {
  if (type == Type::f32) return 0;
  const int digits = type == Type::f16 ? 11 : 8, lowest = type == Type::f16 ? -25 : -134;
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(1, std::max(exponent - 1 - digits, lowest));
}

/// One rounding, and `share` of the largest value for arithmetic in float32.
inline void check_near(Type type, const Doubles& got, const Doubles& want, double share = 1e-6) {
  REQUIRE(got.size() == want.size());
  double largest = 0;
  for (const double value : want) largest = std::max(largest, std::fabs(value));
  std::size_t wrong = 0, worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const bool is_near = std::fabs(got[i] - want[i]) <= half_unit(type, want[i]) + share * largest;
    if (!is_near && wrong++ == 0) worst = i;
  }
  CAPTURE(to_string(type), worst, got[worst], want[worst]);
  CHECK(wrong == 0);
}

/// Padded to whole chunks of the type.
inline Plane plane_of(Type type, std::int64_t rows, std::int64_t channels) {
  const std::int64_t chunk = 16 / static_cast<std::int64_t>(size_of(type));
  return {rows, channels, (channels + chunk - 1) / chunk * chunk};
}

// What the cases of pointwise kernels go through.
inline Type any_type() {
  return GENERATE(Type::f32, Type::f16, Type::bf16);
}
inline Plane any_plane(Type type) {
  return GENERATE_COPY(plane_of(type, 5, 1), plane_of(type, 35, 3), plane_of(type, 7, 21),
                       Plane{5, 1, 8}, Plane{1, 3, 8});
}
inline std::int64_t counting(const Plane& plane) {
  return plane.rows * plane.channels;
}

}  // namespace millrace::gpu::test
