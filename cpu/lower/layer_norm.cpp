// Layer normalisation, by loops of our own, in the layout in which the image comes.

#include <millrace/cpu/lower/lowering.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/cpu/lower/layer_norm.cpp"
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>
#include <millrace/cpu/kernels/lanes-inl.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Calls body(tag, offset, channel) for the channels of a pixel, as many lanes at a time as there
// are, then for one.
template <class Body>
void ForChannels(const ChannelBlocks& image, Body&& body) {
  for (std::int64_t first = 0; first < image.channels; first += image.block) {
    const std::int64_t count = std::min(image.block, image.channels - first);
    const std::int64_t offset = first * image.pixels;
    for_lanes(0, count, [&](auto d, std::int64_t c) { body(d, offset + c, first + c); });
  }
}

// The mean over the channels of what term(tag, offset, channel) gives.
template <class Term>
float MeanOf(const ChannelBlocks& image, Term&& term) {
  const hn::ScalableTag<float> wide;
  auto sum = hn::Zero(wide);
  float rest = 0;
  ForChannels(image, [&](auto d, std::int64_t offset, std::int64_t c) {
    const auto value = term(d, offset, c);
    if constexpr (std::is_same_v<decltype(d), hn::CappedTag<float, 1>>) {
      rest += hn::GetLane(value);
    } else {
      sum = hn::Add(sum, value);
    }
  });
  return (hn::GetLane(hn::SumOfLanes(wide, sum)) + rest) / static_cast<float>(image.channels);
}

// Channels that pad a block stay zero.
void ClearPadding(const ChannelBlocks& image, float* pixel) {
  const std::int64_t counting = image.channels % image.block;
  if (counting == 0) return;
  float* const last = pixel + (image.blocks() - 1) * image.block * image.pixels;
  std::fill(last + counting, last + image.block, 0.0F);
}

// A sample's pixels. Memory begins with the sample, mean and inverse too.
void Forward(const ChannelBlocks& image, float epsilon, const float* x, const float* gamma,
             const float* beta, float* y, float* means, float* inverses) {
  for (std::int64_t p = 0; p < image.pixels; ++p) {
    const float* const from = x + p * image.block;
    float* const to = y + p * image.block;
    const float mean = MeanOf(
        image, [&](auto d, std::int64_t at, std::int64_t) { return hn::LoadU(d, from + at); });
    const float variance = MeanOf(image, [&](auto d, std::int64_t at, std::int64_t) {
      const auto centered = hn::Sub(hn::LoadU(d, from + at), hn::Set(d, mean));
      return hn::Mul(centered, centered);
    });
    const float inverse = 1 / std::sqrt(variance + epsilon);
    ForChannels(image, [&](auto d, std::int64_t at, std::int64_t c) {
      const auto normal =
          hn::Mul(hn::Sub(hn::LoadU(d, from + at), hn::Set(d, mean)), hn::Set(d, inverse));
      hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, gamma + c), hn::LoadU(d, beta + c)), d, to + at);
    });
    ClearPadding(image, to);
    means[p] = mean;
    inverses[p] = inverse;
  }
}

// dx of a sample's pixels.
void Backward(const ChannelBlocks& image, const float* dy, const float* x, const float* gamma,
              const float* means, const float* inverses, float* dx) {
  for (std::int64_t p = 0; p < image.pixels; ++p) {
    const float* const slopes = dy + p * image.block;
    const float* const from = x + p * image.block;
    float* const to = dx + p * image.block;
    const auto scaled = [&](auto d, std::int64_t at, std::int64_t c) {
      return hn::Mul(hn::LoadU(d, slopes + at), hn::LoadU(d, gamma + c));
    };
    const auto normal = [&](auto d, std::int64_t at) {
      return hn::Mul(hn::Sub(hn::LoadU(d, from + at), hn::Set(d, means[p])),
                     hn::Set(d, inverses[p]));
    };
    const float mean = MeanOf(image, scaled);
    const float product = MeanOf(image, [&](auto d, std::int64_t at, std::int64_t c) {
      return hn::Mul(scaled(d, at, c), normal(d, at));
    });
    ForChannels(image, [&](auto d, std::int64_t at, std::int64_t c) {
      const auto common = hn::MulAdd(normal(d, at), hn::Set(d, product), hn::Set(d, mean));
      const auto slope = hn::Sub(scaled(d, at, c), common);
      hn::StoreU(hn::Mul(slope, hn::Set(d, inverses[p])), d, to + at);
    });
    ClearPadding(image, to);
  }
}

// dgamma and dbeta of channels [first, first + count) of a block: of a sample first, so that sums
// stay short, then of all.
void Columns(const ChannelBlocks& image, std::int64_t first, std::int64_t count, const float* dy,
             const float* x, const float* means, const float* inverses, float* dgamma,
             float* dbeta) {
  const std::int64_t offset =
      first / image.block * image.block * image.pixels + first % image.block;
  for_lanes(0, count, [&](auto d, std::int64_t c) {
    auto gammas = hn::Zero(d);
    auto betas = hn::Zero(d);
    for (std::int64_t n = 0; n < image.samples; ++n) {
      auto of_gamma = hn::Zero(d);
      auto of_beta = hn::Zero(d);
      for (std::int64_t p = 0; p < image.pixels; ++p) {
        const std::int64_t at = n * image.sample_stride() + offset + c + p * image.block;
        const std::int64_t pixel = n * image.pixels + p;
        const auto slope = hn::LoadU(d, dy + at);
        const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, x + at), hn::Set(d, means[pixel])),
                                    hn::Set(d, inverses[pixel]));
        of_gamma = hn::MulAdd(slope, normal, of_gamma);
        of_beta = hn::Add(of_beta, slope);
      }
      gammas = hn::Add(gammas, of_gamma);
      betas = hn::Add(betas, of_beta);
    }
    hn::StoreU(gammas, d, dgamma + first + c);
    hn::StoreU(betas, d, dbeta + first + c);
  });
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::cpu {
namespace {

HWY_EXPORT(Forward);
HWY_EXPORT(Backward);
HWY_EXPORT(Columns);

/// The layout of a value where channels lie side by side, else the logical order.
Layout layout_of(const Lowering& lowering, nn::ValueId id) {
  const Layout here = lowering.image_layout(id);
  return channel_blocks(here)->block > 1 ? here : plain_layout(here);
}

void forward(Lowering& lowering, const nn::Op& op, float epsilon) {
  const Layout layout = layout_of(lowering, op.x());
  const ChannelBlocks image = channel_blocks(layout).value();
  const Layout of_pixels = plain_layout(Shape{image.samples, image.pixels});
  const SlotId x = lowering.in_layout(op.x(), layout);
  const std::vector<SlotId> uses{x,
                                 lowering.plain_parameter(op, nn::Role::gamma),
                                 lowering.plain_parameter(op, nn::Role::beta),
                                 lowering.make_in_place(op.y(), x),
                                 lowering.make(op.saved(nn::LayerNorm::kMean), of_pixels),
                                 lowering.make(op.saved(nn::LayerNorm::kInverse), of_pixels)};
  lowering.append(lowering.step_name(op), "layer_norm", uses, [=](Memory memory, Run&) {
    const auto at = [&](std::size_t i) { return floats(memory, i); };
#pragma omp parallel for schedule(static)
    for (std::int64_t n = 0; n < image.samples; ++n) {
      const std::int64_t sample = n * image.sample_stride(), pixel = n * image.pixels;
      HWY_DYNAMIC_DISPATCH(Forward)
      (image, epsilon, at(0) + sample, at(1), at(2), at(3) + sample, at(4) + pixel, at(5) + pixel);
    }
  });
}

/// `read`: dy, x, mean and inverse.
void append_gradients(Lowering& lowering, const nn::Op& op, const ChannelBlocks& image,
                      std::vector<SlotId> read) {
  for (const nn::Role role : {nn::Role::gamma, nn::Role::beta}) {
    const Layout channels = plain_layout(lowering.shape(op.parameter(nn::Role::gamma)));
    read.push_back(lowering.gradient(op.gradient(role), channels));
  }
  lowering.append(
      lowering.step_name(op, "parameters"), "layer_norm", read, [=](Memory memory, Run&) {
        const auto at = [&](std::size_t i) { return floats(memory, i); };
        // A whole number of pieces is a block, or there is one block alone.
        const std::int64_t piece = std::min<std::int64_t>(image.block, 64);
#pragma omp parallel for schedule(static)
        for (std::int64_t c = 0; c < image.channels; c += piece) {
          HWY_DYNAMIC_DISPATCH(Columns)
          (image, c, std::min(piece, image.channels - c), at(0), at(1), at(2), at(3), at(4), at(5));
        }
      });
}

void backward(Lowering& lowering, const nn::Op& op) {
  const Layout layout = layout_of(lowering, op.x());
  const ChannelBlocks image = channel_blocks(layout).value();
  const SlotId dy = lowering.in_layout(op.dy(), layout), x = lowering.in_layout(op.x(), layout);
  const SlotId mean = lowering.slot_of(op.saved(nn::LayerNorm::kMean));
  const SlotId inverse = lowering.slot_of(op.saved(nn::LayerNorm::kInverse));
  const SlotId gamma = lowering.plain_parameter(op, nn::Role::gamma);
  if (op.gradient(nn::Role::gamma) >= 0) {
    append_gradients(lowering, op, image, {dy, x, mean, inverse});
  }
  if (op.dx() < 0) return;
  const SlotId dx = lowering.make_in_place(op.dx(), dy);
  lowering.append(lowering.step_name(op), "layer_norm", {dy, x, mean, inverse, gamma, dx},
                  [=](Memory memory, Run&) {
                    const auto at = [&](std::size_t i) { return floats(memory, i); };
#pragma omp parallel for schedule(static)
                    for (std::int64_t n = 0; n < image.samples; ++n) {
                      const std::int64_t sample = n * image.sample_stride();
                      const std::int64_t pixel = n * image.pixels;
                      HWY_DYNAMIC_DISPATCH(Backward)
                      (image, at(0) + sample, at(1) + sample, at(4), at(2) + pixel, at(3) + pixel,
                       at(5) + sample);
                    }
                  });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::LayerNorm& layer) {
  op.pass == nn::Pass::forward ? forward(lowering, op, layer.epsilon) : backward(lowering, op);
}

}  // namespace millrace::cpu
#endif
