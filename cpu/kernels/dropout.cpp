#include <millrace/cpu/kernels/dropout.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/dropout.h>

#include <algorithm>
#include <cmath>

namespace millrace::cpu {
namespace {

const float* floats(const std::byte* memory) {
  return reinterpret_cast<const float*>(memory);
}
float* floats(std::byte* memory) {
  return reinterpret_cast<float*>(memory);
}

/// Calls body(sample, first channel, channels, pixel, offset of the first of them) for every run of
/// channels that lie side by side. Runs of a sample are one thread's.
template <class Body>
void for_each_run(const ChannelBlocks& image, Body&& body) {
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < image.samples; ++n) {
    std::int64_t offset = n * image.sample_stride();
    for (std::int64_t c = 0; c < image.channels; c += image.block) {
      const std::int64_t channels = std::min(image.block, image.channels - c);
      for (std::int64_t pixel = 0; pixel < image.pixels; ++pixel, offset += image.block) {
        body(n, c, channels, pixel, offset);
      }
    }
  }
}

/// Channels that pad a block stay zero, as oneDNN expects.
void clear_padding(const ChannelBlocks& image, std::int64_t channels, float* run) {
  for (std::int64_t i = channels; i < image.block; ++i) run[i] = 0;
}

}  // namespace

void draw_masks(const ChannelBlocks& image, const DropoutMask& how, const nn::Batch& batch,
                std::byte* mask) {
  const std::int64_t elements = image.channels * image.pixels;
  auto* const bytes = reinterpret_cast<std::uint8_t*>(mask);
#pragma omp parallel for schedule(static)
  for (std::int64_t n = 0; n < image.samples; ++n) {
    const std::span<std::uint8_t> row(bytes + n * elements, static_cast<std::size_t>(elements));
    if (n >= batch.samples) {
      std::fill(row.begin(), row.end(), std::uint8_t{0});
      continue;
    }
    const auto index = static_cast<std::size_t>(n);
    const std::uint64_t position = batch.positions.empty() ? index : batch.positions[index];
    nn::dropout_mask(how.seed, batch.pass, position, how.layer, how.rate, row);
  }
}

void apply_dropout(const ChannelBlocks& image, float rate, const std::byte* x,
                   const std::byte* mask, std::byte* y) {
  const float scale = 1.0F / (1.0F - rate);
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(mask);
  for_each_run(image, [&](std::int64_t n, std::int64_t c, std::int64_t channels, std::int64_t pixel,
                          std::int64_t offset) {
    const float* const from = floats(x) + offset;
    float* const to = floats(y) + offset;
    const std::uint8_t* const keep = bytes + (n * image.pixels + pixel) * image.channels + c;
    for (std::int64_t i = 0; i < channels; ++i) {
      const float factor = keep[i] != 0 ? scale : 0.0F;
      to[i] = from[i] * factor;
    }
    clear_padding(image, channels, to);
  });
}

}  // namespace millrace::cpu
