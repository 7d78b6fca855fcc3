// Convolutions as matrix products: each output pixel's window is laid out as a row ("patches"), a
// sample at a time.

#include <millrace/gpu/fake/host_work.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace millrace::gpu::recording {
namespace {

struct Sizes {
  std::int64_t image, outputs, patch, out_pixels, bias;  // elements of one sample, of one kernel
};
Sizes sizes_of(const Convolution& c) {
  const std::int64_t out_pixels = c.out_height * c.out_width;
  return {c.height * c.width * c.channels, out_pixels * c.filters, c.rows * c.columns * c.channels,
          out_pixels, c.filters};
}

std::vector<float> zeros(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count));
}

/// f(offset of the pixel's channels in an image, offset in patches [out_pixels][patch]), for each
/// pixel under a window that is not padding.
template <class F>
void for_each_patch_pixel(const Convolution& c, F f) {
  std::int64_t at = 0;
  for (std::int64_t oy = 0; oy < c.out_height; ++oy) {
    for (std::int64_t ox = 0; ox < c.out_width; ++ox) {
      for (std::int64_t row = 0; row < c.rows; ++row) {
        const std::int64_t y = oy * c.stride - c.top + row;
        for (std::int64_t column = 0; column < c.columns; ++column, at += c.channels) {
          const std::int64_t x = ox * c.stride - c.left + column;
          if (y < 0 || y >= c.height || x < 0 || x >= c.width) continue;
          f((y * c.width + x) * c.channels, at);
        }
      }
    }
  }
}

/// The windows of one image; padding stays zero.
void gather_patches(const Convolution& c, const float* image, std::vector<float>& patches) {
  for_each_patch_pixel(c, [&](std::int64_t pixel, std::int64_t at) {
    std::copy_n(image + pixel, c.channels, patches.data() + at);
  });
}

void forward(const Convolution& c, const ConvolutionMemory& memory) {
  const Sizes size = sizes_of(c);
  const DType type = nn::storage_of(c.precision);
  const auto x = read_operand(c.precision, memory.x, {c.batch, size.image, size.image});
  const auto w =
      transposed(read_operand(c.precision, memory.w, {c.filters, size.patch, size.patch}),
                 c.filters, size.patch);
  auto y = zeros(c.batch * size.outputs);
  auto patches = zeros(size.out_pixels * size.patch);
  for (std::int64_t n = 0; n < c.batch; ++n) {
    gather_patches(c, x.data() + n * size.image, patches);
    multiply_add(size.out_pixels, c.filters, size.patch, patches.data(), w.data(),
                 y.data() + n * size.outputs);
  }
  for (std::int64_t i = 0; i < c.batch * size.outputs; ++i) {
    float& value = y[static_cast<std::size_t>(i)];
    if (c.bias) value += read_value(type, memory.bias, i % c.filters);
    if (c.relu && value < 0) value = 0;
  }
  write_rows(type, y.data(), memory.y, {c.batch, size.outputs, size.outputs});
}

void backward_data(const Convolution& c, const ConvolutionMemory& memory) {
  const Sizes size = sizes_of(c);
  const auto dy = read_operand(c.precision, memory.y, {c.batch, size.outputs, size.outputs});
  const auto w = read_operand(c.precision, memory.w, {c.filters, size.patch, size.patch});
  auto dx = zeros(c.batch * size.image);
  auto patches = zeros(size.out_pixels * size.patch);
  for (std::int64_t n = 0; n < c.batch; ++n) {
    std::fill(patches.begin(), patches.end(), 0.0F);
    multiply_add(size.out_pixels, size.patch, c.filters, dy.data() + n * size.outputs, w.data(),
                 patches.data());
    float* const image = dx.data() + n * size.image;
    for_each_patch_pixel(c, [&](std::int64_t pixel, std::int64_t at) {
      const float* const from = patches.data() + at;
      for (std::int64_t channel = 0; channel < c.channels; ++channel) {
        image[pixel + channel] += from[channel];
      }
    });
  }
  write_rows(nn::storage_of(c.precision), dx.data(), memory.x, {c.batch, size.image, size.image});
}

void backward_weights(const Convolution& c, const ConvolutionMemory& memory) {
  const Sizes size = sizes_of(c);
  const auto x = read_operand(c.precision, memory.x, {c.batch, size.image, size.image});
  const auto dy = read_operand(c.precision, memory.y, {c.batch, size.outputs, size.outputs});
  auto patches = zeros(size.out_pixels * size.patch);
  auto dw = zeros(c.filters * size.patch);
  std::vector<double> total(dw.size());
  for (std::int64_t n = 0; n < c.batch; ++n) {
    gather_patches(c, x.data() + n * size.image, patches);
    const auto sample = dy.begin() + n * size.outputs;
    const auto gradient = transposed({sample, sample + size.outputs}, size.out_pixels, c.filters);
    std::fill(dw.begin(), dw.end(), 0.0F);
    multiply_add(c.filters, size.patch, size.out_pixels, gradient.data(), patches.data(),
                 dw.data());
    std::transform(total.begin(), total.end(), dw.begin(), total.begin(),
                   [](double sum, float part) { return sum + static_cast<double>(part); });
  }
  std::transform(total.begin(), total.end(), dw.begin(),
                 [](double sum) { return static_cast<float>(sum); });
  write_rows(nn::storage_of(c.precision), dw.data(), memory.w, {c.filters, size.patch, size.patch});
}

}  // namespace

void validate(const Convolution& c) {
  const std::int64_t high = c.height + c.top + c.bottom - c.rows;
  const std::int64_t wide = c.width + c.left + c.right - c.columns;
  const bool fits = c.batch > 0 && c.channels > 0 && c.filters > 0 && c.stride > 0 && high >= 0 &&
                    wide >= 0 && high / c.stride + 1 == c.out_height &&
                    wide / c.stride + 1 == c.out_width;
  if (!fits) throw Error(concat("cudnn: ", to_string(c), ": the sizes do not fit together"));
  if (c.pass != Convolution::Pass::forward && (c.bias || c.relu)) {
    throw Error(concat("cudnn: ", to_string(c), ": bias and ReLU belong to the forward pass"));
  }
}

std::vector<Access> accesses_of(const Convolution& c, const ConvolutionMemory& memory) {
  using Pass = Convolution::Pass;
  const Sizes size = sizes_of(c);
  const std::size_t element = size_of(nn::storage_of(c.precision));
  const auto bytes = [&](std::int64_t elements) {
    return static_cast<std::size_t>(elements) * element;
  };
  std::vector<Access> accesses{
      {memory.x, bytes(c.batch * size.image), c.pass == Pass::backward_data},
      {memory.w, bytes(c.filters * size.patch), c.pass == Pass::backward_weights},
      {memory.y, bytes(c.batch * size.outputs), c.pass == Pass::forward}};
  if (c.bias) accesses.push_back({memory.bias, bytes(size.bias), false});
  return accesses;
}

void run_on_host(const Convolution& convolution, const ConvolutionMemory& memory) {
  switch (convolution.pass) {
    case Convolution::Pass::forward: return forward(convolution, memory);
    case Convolution::Pass::backward_data: return backward_data(convolution, memory);
    case Convolution::Pass::backward_weights: return backward_weights(convolution, memory);
  }
}

}  // namespace millrace::gpu::recording
