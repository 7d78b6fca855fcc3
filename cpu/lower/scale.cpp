// One factor a channel.

#include <millrace/cpu/kernels/merging.h>
#include <millrace/cpu/lower/lowering.h>

#include <algorithm>

namespace millrace::cpu {
namespace {

/// y = x * factors[channel]. y may be x.
void scale(const ChannelBlocks& image, const float* x, const float* factors, float* y) {
  const std::int64_t blocks = image.blocks(), size = image.pixels * image.block;
#pragma omp parallel for schedule(static)
  for (std::int64_t b = 0; b < image.samples * blocks; ++b) {
    const std::int64_t first = b % blocks * image.block;
    const std::int64_t channels = std::min(image.block, image.channels - first);
    for (std::int64_t at = b * size; at < (b + 1) * size; at += image.block) {
      for (std::int64_t c = 0; c < channels; ++c) y[at + c] = x[at + c] * factors[first + c];
      std::fill(y + at + channels, y + at + image.block, 0.0F);
    }
  }
}

/// sums[channel] of [samples][channels].
void sum_samples(const ChannelBlocks& image, const float* of_samples, float* sums) {
  std::copy_n(of_samples, image.channels, sums);
  for (std::int64_t n = 1; n < image.samples; ++n) {
    for (std::int64_t c = 0; c < image.channels; ++c) sums[c] += of_samples[n * image.channels + c];
  }
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Scale&) {
  const bool is_forward = op.pass == nn::Pass::forward;
  const Layout layout = lowering.image_layout(is_forward ? op.x() : op.dy());
  const ChannelBlocks image = channel_blocks(layout).value();
  const SlotId from = lowering.in_layout(op.source(), layout);
  if (op.pass != nn::Pass::backward_parameters) {
    return lowering.append(lowering.step_name(op), "scale",
                           {from, lowering.plain_parameter(op, nn::Role::gamma),
                            lowering.make_in_place(op.result(), from)},
                           [image](Memory memory, Run&) {
                             scale(image, floats(memory, 0), floats(memory, 1), floats(memory, 2));
                           });
  }
  const Layout of_samples = plain_layout(Shape{image.samples, image.channels});
  const nn::ValueId gradient = op.gradient(nn::Role::gamma);
  lowering.append(lowering.step_name(op), "scale",
                  {from, lowering.in_layout(op.x(), layout), lowering.temporary(of_samples),
                   lowering.gradient(gradient, plain_layout(lowering.shape(gradient)))},
                  [image](Memory memory, Run&) {
                    sum_channel_products(image, floats(memory, 0), floats(memory, 1),
                                         floats(memory, 2));
                    sum_samples(image, floats(memory, 2), floats(memory, 3));
                  });
}

}  // namespace millrace::cpu
