// The input, layouts, sums of columns and dropout, against float64.

#include <millrace/core/random.h>
#include <millrace/gpu/kernels/column_sums.h>
#include <millrace/gpu/kernels/dropout.h>
#include <millrace/gpu/kernels/input.h>
#include <millrace/gpu/kernels/layout.h>
#include <millrace/gpu/kernels/philox.h>
#include <millrace/nn/layers/dropout.h>

#include "kernel_memory.h"

#include "gpu/reference_ops.h"

namespace {

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;
namespace reference = millrace::nn::reference;

TEST_CASE("An image of bytes or floats becomes rows of padded channels, scaled and shifted") {
  const Type from = GENERATE(Type::u8, Type::f32), to = any_type();
  const Plane plane = any_plane(to);
  const bool swaps = plane.channels == 3;
  KernelMemory memory;
  Doubles x = noise(Type::f32, counting(plane), 1, 0, 255);
  if (from == Type::u8)
    std::transform(x.begin(), x.end(), x.begin(), [](double v) { return std::floor(v); });
  const Doubles factor = noise(Type::f32, plane.channels, 2),
                offset = noise(Type::f32, plane.channels, 3);
  void* const y = memory.take(to, plane.elements());
  memory.run(normalize(
      from, to, memory.put(from, x), y, plane,
      {memory.put<float>(Type::f32, factor), memory.put<float>(Type::f32, offset), swaps}));
  Doubles want(x.size());
  const std::size_t channels = index(plane.channels);
  for (std::size_t i = 0; i < want.size(); ++i) {
    const std::size_t c = i % channels, source = swaps ? i - c + 2 - c : i;
    want[i] = x[source] * factor[c] + offset[c];
  }
  check_near(to, memory.get(to, y, plane), want);
}

TEST_CASE(
    "Samples that lie here and there are gathered, in the order in which they are asked for") {
  const Type from = GENERATE(Type::u8, Type::f32), to = any_type();
  const std::int64_t channels = GENERATE(1, 3, 21);
  constexpr std::int64_t kAll = 9, kPixels = 5;
  const std::vector<std::uint32_t> rows{8, 0, 3, 3, 7};
  const auto samples = static_cast<std::int64_t>(rows.size());
  const Plane plane = plane_of(to, samples * kPixels, channels);
  const bool swaps = channels == 3;
  KernelMemory memory;
  Doubles x = noise(Type::f32, kAll * kPixels * channels, 1, 0, 255);
  if (from == Type::u8)
    std::transform(x.begin(), x.end(), x.begin(), [](double v) { return std::floor(v); });
  const Doubles factor = noise(Type::f32, channels, 2), offset = noise(Type::f32, channels, 3);
  auto* const asked = memory.take<std::uint32_t>(rows.size() * sizeof(std::uint32_t));
  std::copy(rows.begin(), rows.end(), asked);
  void* const y = memory.take(to, plane.elements());
  memory.run(
      gather(from, to, memory.put(from, x), {asked, samples, kAll}, y, plane,
             {memory.put<float>(Type::f32, factor), memory.put<float>(Type::f32, offset), swaps}));
  Doubles want;
  for (const std::uint32_t row : rows) {
    for (std::int64_t pixel = 0; pixel < kPixels; ++pixel) {
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t read = (row * kPixels + pixel) * channels + (swaps ? 2 - c : c);
        want.push_back(x[index(read)] * factor[index(c)] + offset[index(c)]);
      }
    }
  }
  check_near(to, memory.get(to, y, plane), want);
}

TEST_CASE("Images that are gathered are cropped with a fill and mirrored on the way") {
  const Type to = any_type();
  constexpr std::int64_t kHeight = 4, kWidth = 5, kChannels = 3, kAll = 3;
  const std::vector<std::uint32_t> rows{2, 0, 0, 1};
  const std::vector<nn::Move> moves{{},
                                    {.top = -2, .left = 1, .fill = 7},
                                    {.top = 1, .left = -1, .mirrors_columns = 1, .fill = 200},
                                    {.top = 0, .left = 3, .mirrors_columns = 1, .mirrors_rows = 1}};
  const auto samples = static_cast<std::int64_t>(rows.size());
  const Plane plane = plane_of(to, samples * kHeight * kWidth, kChannels);
  KernelMemory memory;
  Doubles x = noise(Type::f32, kAll * kHeight * kWidth * kChannels, 1, 0, 255);
  std::transform(x.begin(), x.end(), x.begin(), [](double v) { return std::floor(v); });
  const Doubles factor = noise(Type::f32, kChannels, 2), offset = noise(Type::f32, kChannels, 3);
  auto* const asked = memory.take<std::uint32_t>(rows.size() * sizeof(std::uint32_t));
  std::copy(rows.begin(), rows.end(), asked);
  auto* const moved = memory.take<nn::Move>(moves.size() * sizeof(nn::Move));
  std::copy(moves.begin(), moves.end(), moved);
  void* const y = memory.take(to, plane.elements());
  memory.run(gather(Type::u8, to, memory.put(Type::u8, x), {asked, samples, kAll, moved, kWidth}, y,
                    plane,
                    {memory.put<float>(Type::f32, factor), memory.put<float>(Type::f32, offset)}));
  // Crop, then mirror, as two steps.
  Doubles want;
  for (std::size_t n = 0; n < rows.size(); ++n) {
    const nn::Move& move = moves[n];
    const auto cropped = [&](std::int64_t h, std::int64_t w, std::int64_t c) {
      const std::int64_t top = h + move.top, left = w + move.left;
      const bool is_in = top >= 0 && top < kHeight && left >= 0 && left < kWidth;
      return is_in ? x[index(((rows[n] * kHeight + top) * kWidth + left) * kChannels + c)]
                   : static_cast<double>(move.fill);
    };
    for (std::int64_t h = 0; h < kHeight; ++h) {
      for (std::int64_t w = 0; w < kWidth; ++w) {
        for (std::int64_t c = 0; c < kChannels; ++c) {
          const double pixel = cropped(move.mirrors_rows != 0 ? kHeight - 1 - h : h,
                                       move.mirrors_columns != 0 ? kWidth - 1 - w : w, c);
          want.push_back(pixel * factor[index(c)] + offset[index(c)]);
        }
      }
    }
  }
  check_near(to, memory.get(to, y, plane), want);
}

TEST_CASE("Padded rows are unpacked and packed without a change") {
  const Type type = any_type();
  const Plane plane = any_plane(type);
  KernelMemory memory;
  const Doubles x = noise(type, counting(plane), 1);
  auto* const packed = memory.take<float>(Type::f32, counting(plane));
  memory.run(unpack(type, memory.put(type, plane, x), packed, plane));
  CHECK(memory.get(Type::f32, packed, counting(plane)) == x);
  void* const back = memory.take(type, plane.elements());
  memory.run(pack(type, packed, back, plane));
  CHECK(memory.get(type, back, plane) == x);
}

TEST_CASE(
    "Features are pixels, then channels that count, and gradients go back where they came from") {
  const Type type = any_type();
  const std::int64_t channels = GENERATE(1, 3, 8, 11);
  const Plane plane = plane_of(type, 5 * 6, channels);
  const Flattening size{.samples = 5,
                        .pixels = 6,
                        .channels = channels,
                        .stored = plane.stored,
                        .width = (6 * channels + 7) / 8 * 8};
  const Plane features{5, 6 * channels, size.width};
  KernelMemory memory;
  const Doubles x = noise(type, counting(plane), 1);
  void* const flat = memory.take(type, features.elements());
  memory.run(flatten(type, memory.put(type, plane, x), flat, size));
  CHECK(memory.get(type, flat, features) == x);
  void* const back = memory.take(type, plane.elements());
  memory.run(unflatten(type, memory.put(type, features, x), back, size));
  CHECK(memory.get(type, back, plane) == x);
}

TEST_CASE("Columns are summed in parts, with the gradient of a ReLU on the way or without") {
  const Type type = any_type();
  const bool with_relu = GENERATE(false, true);
  const Plane plane = GENERATE_COPY(plane_of(type, 1, 1), plane_of(type, 300, 3),
                                    plane_of(type, 130, 75), Plane{9, 11, 16});
  KernelMemory memory;
  const Doubles dy = noise(type, counting(plane), 1, -0.5, 1), y = noise(type, counting(plane), 2);
  Doubles want_dx = dy, want(index(plane.channels), 0.0);
  if (with_relu)
    reference::backward<nn::Relu>(1, std::span<const double>(dy), std::span<const double>(y),
                                  std::span(want_dx));
  for (std::size_t i = 0; i < want_dx.size(); ++i) want[i % want.size()] += want_dx[i];

  auto* const partials = memory.take<float>(Type::f32, sum_parts(plane.rows) * plane.stored);
  void* const dx = with_relu ? memory.take(type, plane.elements()) : nullptr;
  void* const db = memory.take(type, plane.stored);
  memory.run(column_sums(type, memory.put(type, plane, dy),
                         with_relu ? memory.put(type, plane, y) : nullptr, dx, partials, plane));
  memory.run(column_totals(type, partials, db, plane));
  if (with_relu) CHECK(memory.get(type, dx, plane) == want_dx);
  check_near(type, memory.get(type, db, Plane{1, plane.channels, plane.stored}), want);
}

TEST_CASE("The most parts of rows that a sum has are enough for all of them") {
  const Plane plane{70'001, 1, 8};
  KernelMemory memory(std::size_t{1} << 21);
  const Doubles dy = noise(Type::bf16, plane.rows, 1, 0, 1);
  double want = 0;
  for (const double value : dy) want += value;
  auto* const partials = memory.take<float>(Type::f32, sum_parts(plane.rows) * plane.stored);
  void* const db = memory.take(Type::bf16, plane.stored);
  memory.run(column_sums(Type::bf16, memory.put(Type::bf16, plane, dy), nullptr, nullptr, partials,
                         plane));
  memory.run(column_totals(Type::bf16, partials, db, plane));
  check_near(Type::bf16, memory.get(Type::bf16, db, Plane{1, 1, 8}), {want});
}

TEST_CASE("Philox for host and device is that of the host") {
  Random random(7, 0, 0, Purpose::user);
  for (int i = 0; i < 100; ++i) {
    const std::array<std::uint32_t, 4> counter{random.bits(), random.bits(), random.bits(),
                                               random.bits()};
    const std::array<std::uint32_t, 2> key{random.bits(), random.bits()};
    const auto words = gpu::philox({{counter[0], counter[1], counter[2], counter[3]}},
                                   std::uint64_t{key[1]} << 32 | key[0]);
    CHECK(std::equal(std::begin(words.words), std::end(words.words),
                     millrace::philox(counter, key).begin()));
  }
}

TEST_CASE(
    "Dropout keeps what the mask of each position keeps, and nothing of samples that are not "
    "valid") {
  const Type type = any_type();
  const std::int64_t channels = GENERATE(1, 3, 8, 11), pixels = 6, samples = 5, valid = 3;
  const Plane plane = plane_of(type, samples * pixels, channels);
  const DropoutSize size{.samples = samples,
                         .pixels = pixels,
                         .channels = channels,
                         .stored = plane.stored,
                         .rate = 0.3F,
                         .layer = 300,
                         .seed = 0x123456789ABCDEFULL};
  KernelMemory memory;
  Scalars* const scalars = memory.scalars(valid);
  scalars->pass = 9;
  auto* const positions = memory.take<std::uint64_t>(samples * sizeof(std::uint64_t));
  for (std::uint64_t n = 0; n < valid; ++n) positions[n] = (n << 33) + 4'000'000'000 + n;
  const Doubles x = noise(type, counting(plane), 1);
  const std::size_t features = index(pixels * channels);
  Doubles want(x.size(), 0.0);
  for (std::size_t n = 0; n < index(valid); ++n) {
    std::vector<std::uint8_t> bits(features);
    nn::dropout_mask(size.seed, 9, positions[n], size.layer, size.rate, bits);
    for (std::size_t i = n * features; i < (n + 1) * features; ++i) {
      want[i] = bits[i % features] != 0 ? x[i] / (1 - double{size.rate}) : 0.0;
    }
  }
  void* const y = memory.take(type, plane.elements());
  memory.run(dropout(type, memory.put(type, plane, x), y, size, positions, scalars));
  const Doubles got = memory.get(type, y, plane);
  check_near(type, got, want);
  CHECK(std::count(got.begin(), got.end(), 0.0) == std::count(want.begin(), want.end(), 0.0));
}

}  // namespace
