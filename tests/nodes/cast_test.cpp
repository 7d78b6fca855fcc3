#include "catch.h"

#include <millrace/cpu/engine.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>

#include <numeric>

using namespace millrace;

namespace {

/// Casts the bytes 0, 1, ..., 255, 0, ... as samples of `shape`.
std::vector<float> cast_ramp(const nn::Preprocessing& preprocessing, const Shape& shape,
                             std::int64_t samples) {
  Budget budget;
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  Pool<HostBatch> hosts("host", 1, HostBatchFactory{.sample = shape, .capacity = samples}, budget);
  Pool<DeviceBatch> devices("device", 1, DeviceBatchFactory{engine, shape, DType::u8, samples},
                            budget);
  const Lease<HostBatch> host = hosts.try_acquire();
  host->size = samples;
  const auto bytes = host->pixels.as<std::uint8_t>();
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  const Lease<DeviceBatch> device = CopyToDevice(engine)({host, devices.try_acquire()});
  CHECK(device->host.handle().get() == host.handle().get());  // a pointer, not a copy
  Cast(preprocessing, shape)(device);
  CHECK(host.is_sole_owner());  // the host batch is given back once its pixels are read
  const auto input = device->input.as<float>();
  return {input.begin(), input.begin() + samples * shape.elements()};
}

}  // namespace

TEST_CASE("pixels become (pixel * scale - mean) / deviation, by channel") {
  const nn::Preprocessing p{
      .scale = 1.0F / 255, .mean = {0.485F, 0.456F, 0.406F}, .deviation = {0.229F, 0.224F, 0.225F}};
  const std::vector<float> input = cast_ramp(p, {7, 5, 3}, 3);
  for (std::size_t i = 0; i < input.size(); ++i) {
    const double pixel = static_cast<double>(i % 256);
    const double expected =
        (pixel * static_cast<double>(p.scale) - static_cast<double>(p.mean[i % 3])) /
        static_cast<double>(p.deviation[i % 3]);
    // Two roundings of numbers below 4: 2^-22.
    CHECK(std::abs(static_cast<double>(input[i]) - expected) < 1e-6);
  }
}

TEST_CASE("BGR swaps the channels before mean and deviation, which count in that order") {
  // Keras's preprocess_input(mode="caffe") of the pixel (R, G, B): (B, G, R) minus these.
  const std::vector<float> input = cast_ramp(nn::preprocessing_named("caffe"), {7, 5, 3}, 3);
  const std::vector<double> mean = {103.939, 116.779, 123.68};
  for (std::size_t i = 0; i < input.size(); ++i) {
    const std::size_t c = i % 3;
    const double pixel = static_cast<double>((i - c + 2 - c) % 256);
    CHECK(std::abs(static_cast<double>(input[i]) - (pixel - mean[c])) < 1e-5);
  }
}

TEST_CASE("preprocessing of whole samples wants them standardised before") {
  CHECK_THROWS_WITH(cast_ramp({.samplewise_center = true}, {3, 3, 1}, 2),
                    Catch::Contains("Standardize comes before Cast"));
}

TEST_CASE("without mean and deviation pixels are scaled only") {
  const std::vector<float> input = cast_ramp({.scale = 0.5F}, {3, 3, 1}, 5);
  for (std::size_t i = 0; i < input.size(); ++i)
    CHECK(input[i] == 0.5F * static_cast<float>(i % 256));
}

TEST_CASE("a mean that does not fit the channels is named") {
  CHECK_THROWS_WITH(Cast({.mean = {1, 2}}, {4, 4, 3}),
                    "preprocessing: mean has 2 entries for 3 channels");
}
