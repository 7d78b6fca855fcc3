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
  std::int64_t image, outputs;  // elements of one sample
  std::int64_t patch, kernel;   // of all channels under a window, of a filter's
  std::int64_t out_pixels, bias;
};
Sizes sizes_of(const Convolution& c) {
  const std::int64_t out_pixels = c.out_height * c.out_width;
  const std::int64_t patch = c.rows * c.columns * c.channels;
  return {c.height * c.width * c.channels,
          out_pixels * c.filters,
          patch,
          patch / c.groups,
          out_pixels,
          c.filters};
}

/// Calls f(element of kernels that read all channels, element of those that read their group's).
template <class F>
void for_each_weight(const Convolution& c, F f) {
  const std::int64_t channels = c.channels / c.groups;
  std::int64_t own = 0;
  for (std::int64_t filter = 0; filter < c.filters; ++filter) {
    const std::int64_t first = filter / (c.filters / c.groups) * channels;
    for (std::int64_t at = 0; at < c.rows * c.columns; ++at) {
      for (std::int64_t channel = 0; channel < channels; ++channel, ++own) {
        const std::int64_t all = (filter * c.rows * c.columns + at) * c.channels + first + channel;
        f(static_cast<std::size_t>(all), static_cast<std::size_t>(own));
      }
    }
  }
}

/// Kernels [filters][patch]; of channels outside a filter's group they have 0.
std::vector<float> read_kernels(const Convolution& c, const void* memory) {
  const Sizes size = sizes_of(c);
  const auto own = read_operand(c.precision, memory, {c.filters, size.kernel, size.kernel});
  if (c.groups == 1) return own;
  std::vector<float> kernels(static_cast<std::size_t>(c.filters * size.patch));
  for_each_weight(c, [&](std::size_t at, std::size_t from) { kernels[at] = own[from]; });
  return kernels;
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
        const std::int64_t y = oy * c.stride.rows - c.top + row * c.dilation.rows;
        for (std::int64_t column = 0; column < c.columns; ++column, at += c.channels) {
          const std::int64_t x = ox * c.stride.columns - c.left + column * c.dilation.columns;
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
  const auto w = transposed(read_kernels(c, memory.w), c.filters, size.patch);
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
  const auto w = read_kernels(c, memory.w);
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
  for_each_weight(c,
                  [&](std::size_t at, std::size_t to) { dw[to] = static_cast<float>(total[at]); });
  write_rows(nn::storage_of(c.precision), dw.data(), memory.w,
             {c.filters, size.kernel, size.kernel});
}

}  // namespace

void validate(const Convolution& c) {
  const auto positions = [](std::int64_t extent, std::int64_t size, std::int64_t dilation,
                            std::int64_t stride) -> std::int64_t {
    const std::int64_t room = extent - (size - 1) * dilation - 1;
    return room >= 0 && stride > 0 && dilation > 0 ? room / stride + 1 : 0;
  };
  const std::int64_t high = c.height + c.top + c.bottom, wide = c.width + c.left + c.right;
  const bool are_groups = c.groups > 0 && c.channels % c.groups == 0 && c.filters % c.groups == 0;
  const bool fits = c.batch > 0 && c.channels > 0 && c.filters > 0 && are_groups &&
                    c.out_height > 0 && c.out_width > 0 &&
                    positions(high, c.rows, c.dilation.rows, c.stride.rows) == c.out_height &&
                    positions(wide, c.columns, c.dilation.columns, c.stride.columns) == c.out_width;
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
      {memory.w, bytes(c.filters * size.kernel), c.pass == Pass::backward_weights},
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
