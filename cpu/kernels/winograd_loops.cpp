#include <millrace/cpu/kernels/winograd_plan.h>

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "millrace/cpu/kernels/winograd_loops.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>  // compiles this file once for every instruction set
#include <hwy/highway.h>
#include <millrace/cpu/kernels/winograd_transforms-inl.h>

HWY_BEFORE_NAMESPACE();
namespace millrace::cpu::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::int64_t kLanes = static_cast<std::int64_t>(hn::MaxLanes(Tag()));
// Sums of these tiles, two vectors each, with two vectors of weights and one of a pixel take 31 of
// AVX-512's 32 registers, or 15 of 16.
constexpr std::int64_t kMostTiles = HWY_TARGET <= HWY_AVX3 ? kPanel : 6;
// Weights are read in order, and prefetched this many values ahead.
constexpr std::int64_t kAhead = 1024;

// A row of points of 32 channels from `first` on: [column][from_channels][32], the order in which
// multiply() reads them. Backward, the kernel is turned and its channels are exchanged here.
void read_weights(const WinogradPlan& plan, const float* weights, std::int64_t row,
                  std::int64_t first, float* to) {
  const Tag d;
  const Winograd& w = plan.shape;
  const std::int64_t next_made = w.is_backward ? 1 : plan.from_blocks;
  const std::int64_t next_read = w.is_backward ? w.to_channels / kBlock : 1;
  constexpr std::int64_t kPixel = kBlock * kBlock;
  const Vec k0 = value(kG[row][0]), k1 = value(kG[row][1]), k2 = value(kG[row][2]);
  const std::int64_t next = w.from_channels * kGroup;
  for (std::int64_t from = 0; from < w.from_channels; ++from) {
    for (std::int64_t c = 0; c < kGroup; c += kLanes) {
      const std::int64_t block = (first + c) / kBlock;
      const float* kernel = weights + (block * next_made + from / kBlock * next_read) * 9 * kPixel +
                            from % kBlock * kBlock + c % kBlock;
      const auto at = [&](std::int64_t y, std::int64_t x) {
        const std::int64_t number = w.is_backward ? 8 - (y * 3 + x) : y * 3 + x;
        hwy::Prefetch(kernel + number * kPixel + next_read * 9 * kPixel);
        return hn::LoadU(d, kernel + number * kPixel);
      };
      Vec g[3];
      for (std::int64_t x = 0; x < 3; ++x) {
        g[x] = hn::MulAdd(k0, at(0, x), hn::MulAdd(k1, at(1, x), hn::Mul(k2, at(2, x))));
      }
      // By G again; its rows come in pairs.
      const Vec outer1 = value(-2.0 / 9) * (g[0] + g[2]), inner1 = value(-2.0 / 9) * g[1];
      const Vec outer2 = value(1.0 / 90) * add_product(4, g[2], g[0]);
      const Vec inner2 = value(1.0 / 45) * g[1];
      const Vec outer3 = value(8.0 / 45) * add_product(4, g[0], g[2]);
      const Vec inner3 = value(16.0 / 45) * g[1];
      float* const made = to + from * kGroup + c;
      hn::StoreU(g[0], d, made);
      hn::StoreU(outer1 + inner1, d, made + next);
      hn::StoreU(outer1 - inner1, d, made + 2 * next);
      hn::StoreU(outer2 + inner2, d, made + 3 * next);
      hn::StoreU(outer2 - inner2, d, made + 4 * next);
      hn::StoreU(outer3 + inner3, d, made + 5 * next);
      hn::StoreU(outer3 - inner3, d, made + 6 * next);
      hn::StoreU(g[2], d, made + 7 * next);
    }
  }
}

// All points of a block of channels of a tile: to[point * stride]. Columns first, then rows: the
// transform of both is B^T x B.
void read_tile(const float* from, std::int64_t row_stride, float* to, std::int64_t stride) {
  const Tag d;
  for (std::int64_t c = 0; c < kBlock; c += kLanes) {
    HWY_ALIGN float columns[kPoints][kPoints][kLanes];
    for (std::int64_t x = 0; x < kPoints; ++x) {
      Vec in[kPoints], out[kPoints];
      for (std::int64_t y = 0; y < kPoints; ++y) {
        in[y] = hn::LoadU(d, from + y * row_stride + x * kBlock + c);
      }
      transform_from(in, out);
      for (std::int64_t y = 0; y < kPoints; ++y) hn::Store(out[y], d, columns[y][x]);
    }
    for (std::int64_t y = 0; y < kPoints; ++y) {
      Vec in[kPoints], out[kPoints];
      for (std::int64_t x = 0; x < kPoints; ++x) in[x] = hn::Load(d, columns[y][x]);
      transform_from(in, out);
      for (std::int64_t x = 0; x < kPoints; ++x) {
        hn::StoreU(out[x], d, to + (y * kPoints + x) * stride + c);
      }
    }
  }
}

// All points of tiles [first, first + count). Tiles at the border are first copied among zeros, so
// that the transform itself has no branches.
void read_tiles(const WinogradPlan& plan, const float* from, std::int64_t first, std::int64_t count,
                float* to) {
  const Winograd& w = plan.shape;
  const std::int64_t image = w.from_rows * w.from_columns * kBlock;
  const std::int64_t row_stride = w.from_columns * kBlock;
  for (std::int64_t block = 0; block < plan.from_blocks; ++block) {
    for (std::int64_t t = 0; t < count; ++t) {
      const auto place = plan.place(first + t);
      const std::int64_t y0 = place.row - w.top, x0 = place.column - w.left;
      const bool is_inside =
          y0 >= 0 && x0 >= 0 && y0 + kPoints <= w.from_rows && x0 + kPoints <= w.from_columns;
      const float* const here = from + (place.image * plan.from_blocks + block) * image;
      float* const made = to + (block * plan.chunk + t) * kBlock;
      if (is_inside) {
        read_tile(here + y0 * row_stride + x0 * kBlock, row_stride, made, plan.read_stride);
        continue;
      }
      HWY_ALIGN float padded[kAllPoints * kBlock] = {};
      const std::int64_t x_begin = std::max<std::int64_t>(0, -x0);
      const std::int64_t x_end = std::min(kPoints, w.from_columns - x0);
      for (std::int64_t y = 0; y < kPoints; ++y) {
        if (y0 + y < 0 || y0 + y >= w.from_rows || x_end <= x_begin) continue;
        std::copy_n(here + (y0 + y) * row_stride + (x0 + x_begin) * kBlock,
                    (x_end - x_begin) * kBlock, padded + (y * kPoints + x_begin) * kBlock);
      }
      read_tile(padded, kPoints * kBlock, made, plan.read_stride);
    }
  }
}

// made[kCount][2 vectors] = read[from_channels][kCount], in blocks, by weights[from_channels][32].
// Sums stay in registers over all channels; each vector of weights is used kCount times.
template <std::int64_t kCount>
void multiply(const float* HWY_RESTRICT read, std::int64_t blocks, std::int64_t block_stride,
              const float* HWY_RESTRICT weights, float* HWY_RESTRICT made) {
  const Tag d;
  Vec sums[kCount][2];
  HWY_UNROLL(16)
  for (std::int64_t t = 0; t < kCount; ++t) sums[t][0] = sums[t][1] = hn::Zero(d);
  for (std::int64_t block = 0; block < blocks; ++block) {
    for (std::int64_t c = 0; c < kBlock; ++c) {
      const Vec w0 = hn::LoadU(d, weights);
      const Vec w1 = hn::LoadU(d, weights + kLanes);
      weights += kGroup;
      hwy::Prefetch(weights + kAhead);
      if constexpr (kLanes == kBlock) hwy::Prefetch(weights + kAhead + kLanes);
      HWY_UNROLL(16)
      for (std::int64_t t = 0; t < kCount; ++t) {
        const Vec x = hn::Set(d, read[t * kBlock + c]);
        sums[t][0] = hn::MulAdd(x, w0, sums[t][0]);
        sums[t][1] = hn::MulAdd(x, w1, sums[t][1]);
      }
    }
    read += block_stride;
  }
  HWY_UNROLL(16)
  for (std::int64_t t = 0; t < kCount; ++t) {
    hn::StoreU(sums[t][0], d, made + t * kGroup);
    hn::StoreU(sums[t][1], d, made + t * kGroup + kLanes);
  }
}

// A point's product for `count` tiles, by fewer at a time for the rest, with the count known to the
// compiler.
void multiply_all(const WinogradPlan& plan, const float* read, const float* weights,
                  std::int64_t count, float* made) {
  for (std::int64_t c = 0; c < kGroup; c += 2 * kLanes) {
    std::int64_t t = 0;
    const auto go = [&]<std::int64_t kCount>() {
      for (; t + kCount <= count; t += kCount) {
        multiply<kCount>(read + t * kBlock, plan.from_blocks, plan.chunk * kBlock, weights + c,
                         made + t * kGroup + c);
      }
    };
    go.template operator()<kMostTiles>();
    if constexpr (kMostTiles > 8) go.template operator()<8>();
    go.template operator()<4>();
    go.template operator()<2>();
    go.template operator()<1>();
  }
}

// Channels [first_channel, first_channel + together) of all results of tiles.
void write_tiles(const WinogradPlan& plan, const float* made, std::int64_t first_channel,
                 std::int64_t first, std::int64_t count, const float* bias, float* to) {
  const Tag d;
  const Winograd& w = plan.shape;
  const std::int64_t blocks = w.to_channels / kBlock;
  const bool rectifies = w.ceiling != kNoRectifier;
  const Vec ceiling = hn::Set(d, w.ceiling);
  for (std::int64_t c = 0; c < plan.together; c += kLanes) {
    const std::int64_t channel = first_channel + c;
    const Vec shift = bias == nullptr ? hn::Zero(d) : hn::LoadU(d, bias + channel);
    for (std::int64_t t = 0; t < count; ++t) {
      const auto place = plan.place(first + t);
      const std::int64_t rows = std::min(kTile, w.to_rows - place.row);
      const std::int64_t columns = std::min(kTile, w.to_columns - place.column);
      const float* const from = made + (c / kGroup * plan.chunk + t) * kGroup + c % kGroup;
      HWY_ALIGN float half[kTile][kPoints][kLanes];
      for (std::int64_t x = 0; x < kPoints; ++x) {
        Vec in[kPoints], out[kTile];
        for (std::int64_t y = 0; y < kPoints; ++y) {
          in[y] = hn::LoadU(d, from + (y * kPoints + x) * plan.made_stride);
        }
        transform_to(in, out);
        for (std::int64_t y = 0; y < kTile; ++y) hn::Store(out[y], d, half[y][x]);
      }
      float* line = to +
                    ((place.image * blocks + channel / kBlock) * w.to_rows + place.row) *
                        w.to_columns * kBlock +
                    place.column * kBlock + channel % kBlock;
      for (std::int64_t y = 0; y < rows; ++y, line += w.to_columns * kBlock) {
        Vec in[kPoints], out[kTile];
        for (std::int64_t x = 0; x < kPoints; ++x) in[x] = hn::Load(d, half[y][x]);
        transform_to(in, out);
        for (std::int64_t x = 0; x < kTile; ++x) {
          if (x >= columns) break;
          float* const at = line + x * kBlock;
          const Vec result = out[x] + shift;
          const Vec sum = w.adds ? result + hn::LoadU(d, at) : result;
          const Vec rectified = hn::Min(hn::Max(sum, hn::Zero(d)), ceiling);
          hn::StoreU(rectifies ? rectified : sum, d, at);
        }
      }
    }
  }
}

void Convolve(const WinogradPlan& plan, const float* from, const float* weights, const float* bias,
              float* to, float* scratch) {
  const Winograd& w = plan.shape;
  float* const read = scratch;
  float* const made = scratch + plan.made;
  for (std::int64_t first = 0; first < plan.tiles; first += plan.chunk) {
    const std::int64_t count = std::min(plan.chunk, plan.tiles - first);
    read_tiles(plan, from, first, count, read);
    for (std::int64_t channel = 0; channel < w.to_channels; channel += plan.together) {
      for (std::int64_t row = 0; row < kPoints; ++row) {
        float* const transformed = scratch + plan.weights_at(row, channel);
        for (std::int64_t c = 0; c < plan.together; c += kGroup) {
          if (first > 0 && plan.keeps_weights) break;
          read_weights(plan, weights, row, channel + c,
                       transformed + c / kGroup * plan.weights_group);
        }
        for (std::int64_t x = 0; x < kPoints; ++x) {
          const std::int64_t point = row * kPoints + x;
          for (std::int64_t c = 0; c < plan.together; c += kGroup) {
            multiply_all(
                plan, read + point * plan.read_stride,
                transformed + c / kGroup * plan.weights_group + x * w.from_channels * kGroup, count,
                made + point * plan.made_stride + c * plan.chunk);
          }
        }
      }
      write_tiles(plan, made, channel, first, count, bias, to);
    }
  }
}

}  // namespace millrace::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace millrace::cpu {

HWY_EXPORT(Convolve);

std::size_t Winograd::scratch_bytes() const {
  return static_cast<std::size_t>(WinogradPlan(*this).size) * sizeof(float);
}

void convolve(const Winograd& shape, const float* from, const float* weights, const float* bias,
              float* to, std::byte* scratch) {
  HWY_DYNAMIC_DISPATCH(Convolve)
  (WinogradPlan(shape), from, weights, bias, to, reinterpret_cast<float*>(scratch));
}

}  // namespace millrace::cpu
#endif
