#pragma once
// Tensors in the memory of a recording device, for products and convolutions that are compared with
// float64 loops.

#include <millrace/gpu/fake/recording_device.h>

#include <millrace/core/half.h>
#include <millrace/core/shape.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "catch.h"

namespace millrace::gpu::test {

using nn::Precision;
using Doubles = std::vector<double>;

inline std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// The bound on |d| / |reference|, both as Euclidean norms: half a unit of the storage type, and
/// for TF32 operands that were rounded inside.
inline double tolerance(Precision precision) {
  switch (precision) {
    case Precision::fp32: return 1e-6;
    case Precision::tf32: return 1e-3;
    case Precision::fp16: return 5e-4;
    case Precision::bf16: return 4e-3;
  }
  return 0;
}

inline double distance(const Doubles& seen, const Doubles& wanted) {
  REQUIRE(seen.size() == wanted.size());
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    difference += (seen[i] - wanted[i]) * (seen[i] - wanted[i]);
    norm += wanted[i] * wanted[i];
  }
  return std::sqrt(difference) / std::sqrt(norm);
}

/// Tensors in the memory of a device, filled and read through pinned memory.
class HostBench {
 public:
  [[nodiscard]] RecordingDevice& device() { return *device_; }
  [[nodiscard]] Stream& stream() { return *stream_; }

  /// Values that the type can hold.
  Doubles random(DType type, std::int64_t count) {
    std::uniform_real_distribution<float> uniform(-1, 1);
    Doubles values(index(count));
    for (double& value : values) {
      const float drawn = uniform(random_);
      if (type == DType::f16) value = double{float_from_f16(f16_from_float(drawn))};
      if (type == DType::bf16) value = double{float_from_bf16(bf16_from_float(drawn))};
      if (type == DType::f32) value = double{drawn};
    }
    return values;
  }
  /// On the device.
  Buffer put(DType type, const Doubles& values) {
    Buffer pinned = device_->allocate_pinned(Bytes{values.size() * size_of(type)});
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<float>(values[i]);
      if (type == DType::f32) pinned.as<float>()[i] = value;
      if (type == DType::f16) pinned.as<std::uint16_t>()[i] = f16_from_float(value);
      if (type == DType::bf16) pinned.as<std::uint16_t>()[i] = bf16_from_float(value);
    }
    Buffer memory = device_->allocate(Bytes{pinned.size()}, "a tensor");
    device_->copy(*stream_, memory.data(), pinned.data(), Bytes{pinned.size()},
                  Device::Copy::to_device);
    return memory;
  }
  Buffer room(DType type, std::int64_t count) {
    return device_->allocate(Bytes{index(count) * size_of(type)}, "a result");
  }
  Doubles get(DType type, const Buffer& memory) {
    const Buffer pinned = device_->allocate_pinned(Bytes{memory.size()});
    const auto event = device_->make_event(false);
    device_->copy(*stream_, pinned.data(), memory.data(), Bytes{memory.size()},
                  Device::Copy::to_host);
    device_->record(*event, *stream_);
    device_->synchronize(*event);
    Doubles values(memory.size() / size_of(type));
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (type == DType::f32) values[i] = double{pinned.as<float>()[i]};
      if (type == DType::f16) values[i] = double{float_from_f16(pinned.as<std::uint16_t>()[i])};
      if (type == DType::bf16) values[i] = double{float_from_bf16(pinned.as<std::uint16_t>()[i])};
    }
    return values;
  }

 private:
  std::shared_ptr<RecordingDevice> device_ = RecordingDevice::make();
  std::unique_ptr<Stream> stream_ = device_->make_stream("work");
  std::mt19937 random_{7};
};

}  // namespace millrace::gpu::test
