#pragma once
// A device with a stream, and numbers on it: what the cases of the device suite share.

#include "gpu/device_under_test.h"

#include <millrace/core/half.h>
#include <millrace/core/shape.h>
#include <millrace/nn/precision.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace millrace::gpu::test {

using Numbers = std::vector<double>;
using Raw = std::vector<std::byte>;

/// Numbers as a type stores them, rounded once.
inline Raw encode(DType type, const Numbers& numbers) {
  Raw raw(numbers.size() * size_of(type));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto value = static_cast<float>(numbers[i]);
    if (type == DType::f32) {
      std::memcpy(raw.data() + 4 * i, &value, 4);
    } else {
      const std::uint16_t bits =
          type == DType::f16 ? f16_from_float(value) : bf16_from_float(value);
      std::memcpy(raw.data() + 2 * i, &bits, 2);
    }
  }
  return raw;
}

inline Numbers decode(DType type, std::span<const std::byte> raw) {
  Numbers numbers(raw.size() / size_of(type));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (type == DType::f32) {
      float value = 0;
      std::memcpy(&value, raw.data() + 4 * i, 4);
      numbers[i] = value;
    } else {
      std::uint16_t bits = 0;
      std::memcpy(&bits, raw.data() + 2 * i, 2);
      numbers[i] = type == DType::f16 ? float_from_f16(bits) : float_from_bf16(bits);
    }
  }
  return numbers;
}

/// Uniform in [-1, 1), rounded to the type.
inline Numbers random_numbers(DType type, std::int64_t count, unsigned seed) {
  std::mt19937 generator(seed);
  Numbers numbers(static_cast<std::size_t>(count));
  for (double& number : numbers) number = static_cast<double>(generator()) / 2147483648.0 - 1;
  return decode(type, encode(type, numbers));
}

/// ||got - want|| / ||want||. NaN where either holds one.
inline double relative_error(std::span<const double> got, std::span<const double> want) {
  if (got.size() != want.size()) throw std::logic_error("as many numbers as expected");
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    difference += (got[i] - want[i]) * (got[i] - want[i]);
    norm += want[i] * want[i];
  }
  return norm == 0 ? std::sqrt(difference) : std::sqrt(difference / norm);
}

/// What an operation may be off, by its precision.
inline double tolerance(nn::Precision precision) {
  switch (precision) {
    case nn::Precision::fp32: return 1e-5;
    case nn::Precision::tf32: return 1e-3;
    case nn::Precision::fp16: return 2e-3;
    case nn::Precision::bf16: return 1e-2;
  }
  return 0;
}

inline constexpr nn::Precision kPrecisions[] = {nn::Precision::fp32, nn::Precision::tf32,
                                                nn::Precision::fp16, nn::Precision::bf16};

struct Bench {
  std::shared_ptr<Device> device;
  std::unique_ptr<Stream> stream = device->make_stream("test");
  std::unique_ptr<Event> event = device->make_event(false);

  void finish() {
    device->record(*event, *stream);
    device->synchronize(*event);
  }
  [[nodiscard]] Buffer upload(std::span<const std::byte> raw) {
    const Buffer pinned = device->allocate_pinned({raw.size()});
    std::copy(raw.begin(), raw.end(), pinned.data());  // which may be none, unlike memcpy's
    Buffer memory = device->allocate({raw.size()}, "test data");
    device->copy(*stream, memory.data(), pinned.data(), {raw.size()}, Device::Copy::to_device);
    finish();
    return memory;
  }
  [[nodiscard]] Buffer upload(DType type, const Numbers& numbers) {
    return upload(encode(type, numbers));
  }
  /// Of the type's NaN: what is not written shows.
  [[nodiscard]] Buffer poisoned(std::size_t bytes) { return upload(Raw(bytes, std::byte{0xFF})); }
  [[nodiscard]] Raw download(const Buffer& memory) {
    const Buffer pinned = device->allocate_pinned({memory.size()});
    device->copy(*stream, pinned.data(), memory.data(), {memory.size()}, Device::Copy::to_host);
    finish();
    return {pinned.data(), pinned.data() + memory.size()};
  }
  [[nodiscard]] Numbers download(DType type, const Buffer& memory) {
    return decode(type, download(memory));
  }
};

}  // namespace millrace::gpu::test
