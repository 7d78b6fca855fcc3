// Samples that stay in device memory, and slots that gather their batches from them.

#include <millrace/core/error.h>

#include <cstring>
#include <numeric>

#include "catch.h"
#include "gpu/recorded_engine.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using nn::Precision;
using test::RecordedEngine;

namespace {

constexpr std::int64_t kSamples = 11;
const std::vector<std::uint32_t> kRows{10, 2, 2, 0, 7};
const std::vector<std::int32_t> kLabels{0, 1, 2, 2, 1};
const nn::Normalization kNormalization{{0.01F, 0.02F, 0.03F}, {-1, 0, 0.5F}, true};

nn::Model image_model() {
  return ModelBuilder("m", {4, 3, 3}).conv(5).relu().flatten().dense(3).softmax().build();
}

/// Bytes of every sample; a sample differs from all others.
std::vector<std::uint8_t> bytes_of_all(const Shape& sample) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(kSamples * sample.elements()));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37 % 251);
  return bytes;
}

template <class T>
std::vector<T> chosen(const std::vector<T>& all, const Shape& sample) {
  std::vector<T> rows;
  const auto size = static_cast<std::size_t>(sample.elements());
  for (const std::uint32_t row : kRows) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * size);
    rows.insert(rows.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
  }
  return rows;
}

template <class T>
std::shared_ptr<nn::ResidentPixels> resident(const nn::Engine& engine, const Shape& sample,
                                             const std::vector<T>& all) {
  auto pixels = engine.resident_pixels(sample, dtype_of<T>(), kSamples);
  pixels->allocate();
  const auto size = static_cast<std::size_t>(sample.elements());
  for (const auto& [first, count] : {std::pair{4, 7}, std::pair{0, 4}}) {
    pixels->write(
        first,
        ConstTensorView(std::span<const T>(all).subspan(static_cast<std::size_t>(first) * size),
                        sample.with_front(count)));
  }
  return pixels;
}

nn::HostSamples by_rows() {
  return {.rows = kRows, .labels = kLabels, .samples = static_cast<std::int64_t>(kRows.size())};
}

struct Gradients {
  double loss = 0;
  std::vector<float> values;
};

Gradients gradients_of(nn::Executor& executor, nn::DeviceInput& slot) {
  nn::Batch batch;
  batch.device = &slot;
  batch.samples = static_cast<std::int64_t>(kRows.size());
  const double loss = executor.gradients(batch).loss_sum;
  return {loss, test::read(executor, Arena::gradients)};
}

}  // namespace

TEST_CASE("A slot of resident samples holds what a slot of their pixels holds, to the bit") {
  const nn::Model model = image_model();
  const std::vector<std::uint8_t> all = bytes_of_all(model.input);
  const std::vector<std::uint8_t> asked = chosen(all, model.input);
  for (const Precision precision : {Precision::fp32, Precision::fp16, Precision::bf16}) {
    INFO(nn::to_string(precision));
    const RecordedEngine tested(precision);
    const auto executor = test::executor(*tested.engine, model, {.batch = 6});
    const auto uploaded = tested.engine->device_input({.sample = model.input, .capacity = 6});
    uploaded
        ->upload({.pixels = reinterpret_cast<const std::byte*>(asked.data()),
                  .labels = kLabels,
                  .samples = 5})
        .wait();
    uploaded->cast(kNormalization).wait();
    const Gradients expected = gradients_of(*executor, *uploaded);

    const auto gathered =
        tested.engine->device_input({.sample = model.input,
                                     .capacity = 6,
                                     .resident = resident(*tested.engine, model.input, all)});
    for (int i = 0; i < 2; ++i) {  // the second time over what a step has read
      gathered->upload(by_rows()).wait();
      gathered->cast(kNormalization).wait();
      const Gradients got = gradients_of(*executor, *gathered);
      CHECK(got.loss == expected.loss);
      CHECK(got.values == expected.values);
    }
    tested.check_device();
  }
}

TEST_CASE("Resident float32 features train an autoencoder as the reference does") {
  const nn::Model model = ModelBuilder("m", {12}).dense(5).relu().dense(12).sigmoid().build();
  std::vector<float> all(static_cast<std::size_t>(kSamples) * 12);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<float>(i * 5 % 13) / 13;
  const RecordedEngine tested(Precision::fp32);
  const auto executor = test::executor(*tested.engine, model, {.batch = 5});
  const auto reference = test::executor(nn::ReferenceEngine(), model, {.batch = 5});
  const auto slot =
      tested.engine->device_input({.sample = model.input,
                                   .pixels = DType::f32,
                                   .capacity = 5,
                                   .learns_input = true,
                                   .resident = resident(*tested.engine, model.input, all)});
  slot->upload({.rows = kRows, .samples = 5}).wait();
  slot->cast({std::vector<float>(12, 1.0F), std::vector<float>(12, 0.0F)}).wait();
  const std::vector<float> input = chosen(all, model.input);
  nn::Batch host;
  host.input = ConstTensorView(std::span<const float>(input), {5, 12});
  host.labels = host.input;
  host.samples = 5;
  CHECK(gradients_of(*executor, *slot).loss ==
        Approx(reference->gradients(host).loss_sum).epsilon(1e-6));
  test::check_arena(*executor, *reference, Arena::gradients);
  tested.check_device();
}

TEST_CASE("Samples larger than the memory that copies go through arrive whole") {
  const Shape sample{1000, 1000, 3};  // 3 MB, so copies end within samples
  std::vector<std::uint8_t> all(static_cast<std::size_t>(3 * sample.elements()));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i % 249);
  const RecordedEngine tested(Precision::fp32);
  const auto pixels = tested.engine->resident_pixels(sample, DType::u8, 3);
  pixels->allocate();
  pixels->write(0, ConstTensorView(std::span<const std::uint8_t>(all), sample.with_front(3)));
  std::uint64_t copied = 0;
  for (const gpu::Recorded& recorded : tested.device->record()) {
    if (recorded.kind != gpu::Recorded::Kind::copy) continue;
    copied += recorded.bytes;
    CHECK(recorded.bytes <= std::uint64_t{4} << 20);
    for (const gpu::Access& access : recorded.accesses) {
      if (!access.writes) continue;
      CHECK(std::memcmp(access.begin, all.data() + copied - recorded.bytes, access.bytes) == 0);
    }
  }
  CHECK(copied == all.size());
  tested.check_device();
}

TEST_CASE("Resident samples take what bytes() says, once asked for, and their slots no pixels") {
  const RecordedEngine tested(Precision::fp16);
  const nn::Engine& engine = *tested.engine;
  const Shape sample{9, 7, 3};
  const Bytes before = tested.device->memory().free;
  const auto pixels = engine.resident_pixels(sample, DType::u8, 100);
  CHECK(tested.device->memory().free == before);
  CHECK(pixels->bytes() == Bytes{100 * 9 * 7 * 3});
  nn::DeviceInputLayout layout{.sample = sample, .capacity = 50, .target_width = 4};
  const Bytes with_pixels = engine.device_input_bytes(layout);
  layout.resident = pixels;
  const Bytes without = engine.device_input_bytes(layout);
  CHECK(with_pixels - without > Bytes{50 * 9 * 7 * 3 - 2 * 256});  // parts begin at 256 bytes

  pixels->allocate();
  pixels->allocate();
  CHECK(before - tested.device->memory().free == pixels->bytes());
  const auto slot = engine.device_input(layout);
  CHECK(before - tested.device->memory().free == pixels->bytes() + without);
}

TEST_CASE("Samples that are not resident, and pixels that cannot be, are refused by name") {
  const nn::Model model = image_model();
  const RecordedEngine tested(Precision::fp32), other(Precision::fp32);
  const nn::Engine& engine = *tested.engine;
  const auto pixels = resident(engine, model.input, bytes_of_all(model.input));
  const nn::DeviceInputLayout layout{.sample = model.input, .capacity = 6, .resident = pixels};
  const auto slot = engine.device_input(layout);
  const std::vector<std::uint32_t> rows{0, 11};
  CHECK_THROWS_WITH(slot->upload({.rows = rows, .labels = kLabels, .samples = 2}),
                    Catch::Contains("resident sample 11 of 11"));
  CHECK_THROWS_AS(slot->upload({.rows = rows, .labels = kLabels, .samples = 3}), std::logic_error);

  const std::vector<std::uint8_t> one(36);
  const ConstTensorView view(std::span<const std::uint8_t>(one), {1, 4, 3, 3});
  CHECK_THROWS_WITH(pixels->write(11, view), Catch::Contains("1 samples from 11 on, where 11"));
  const ConstTensorView turned(std::span<const std::uint8_t>(one), {1, 3, 4, 3});
  CHECK_THROWS_WITH(pixels->write(0, turned), Catch::Contains("1x3x4x3"));
  CHECK_THROWS_WITH(engine.resident_pixels(model.input, DType::f16, 3), Catch::Contains("f16"));
  CHECK_THROWS_WITH(engine.resident_pixels(model.input, DType::u8, 0),
                    Catch::Contains("0 samples"));

  nn::DeviceInputLayout floats = layout;
  floats.pixels = DType::f32;
  CHECK_THROWS_WITH(engine.device_input(floats), Catch::Contains("cannot fill a slot of f32"));
  CHECK_THROWS_AS(other.engine->device_input(layout), std::logic_error);
  tested.check_device();
}

TEST_CASE("Resident samples that the device has no memory for are refused by name") {
  gpu::Faults faults;
  faults.memory = Bytes{1000};
  const RecordedEngine tested({}, faults);
  const auto pixels = tested.engine->resident_pixels({4, 3, 3}, DType::u8, 28);
  CHECK_THROWS_WITH(pixels->allocate(), Catch::Contains("resident pixels"));
}
