#pragma once
// What kernels are compared with: the float64 loops of nn's layers, called with bare memory, and
// loops over windows with any padding, which no layer has yet.

#include <millrace/gpu/operations.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/sliding.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace millrace::nn::reference {

/// [samples][pixels][channels]: an image as a list of pixels, or pixels = 1 for features.
struct Pixels {
  std::int64_t samples, pixels, channels;
};

using Operands = std::vector<std::pair<Operand, In>>;  // that are written are not const

inline Call call_of(const Pixels& size, const Operands& operands) {
  const Shape shape{size.pixels, 1, size.channels};
  Call call{.samples = size.samples, .inputs = {shape}, .output = shape};
  for (const auto& [operand, values] : operands) {
    call.operands.push_back(
        {operand, {const_cast<double*>(values.begin()), static_cast<std::size_t>(values.size())}});
  }
  return call;
}
inline In in(Out values) {
  return std::span<const double>(values.span());
}

template <class Kind>
void forward(std::int64_t channels, In x, Out y) {
  Kind().forward(
      call_of({x.size() / channels, 1, channels}, {{operand::x, x}, {operand::y, in(y)}}));
}
template <class Kind>
void backward(std::int64_t channels, In dy, In read, Out dx) {
  Operand read_by_gradient = operand::y;
  if constexpr (requires { Kind::read_by_gradient(); }) read_by_gradient = Kind::read_by_gradient();
  Kind().backward(call_of({dy.size() / channels, 1, channels},
                          {{operand::dy, dy}, {read_by_gradient, read}, {operand::dx, in(dx)}}));
}

inline void global_avg_pool_forward(const Pixels& size, In x, Out y) {
  GlobalAvgPool().forward(call_of(size, {{operand::x, x}, {operand::y, in(y)}}));
}
inline void global_avg_pool_backward(const Pixels& size, In dy, Out dx) {
  GlobalAvgPool().backward(call_of(size, {{operand::dy, dy}, {operand::dx, in(dx)}}));
}

inline void batch_norm_forward(const Pixels& size, const BatchNorm& norm, In x, In gamma, In beta,
                               Out running_mean, Out running_variance, Out y, Out mean,
                               Out variance) {
  norm.forward(call_of(size, {{operand::x, x},
                              {operand::parameter(Role::gamma), gamma},
                              {operand::parameter(Role::beta), beta},
                              {operand::parameter(Role::running_mean), in(running_mean)},
                              {operand::parameter(Role::running_variance), in(running_variance)},
                              {operand::y, in(y)},
                              {operand::saved(BatchNorm::kMean), in(mean)},
                              {operand::saved(BatchNorm::kVariance), in(variance)}}));
}
inline void batch_norm_backward(const Pixels& size, const BatchNorm& norm, In dy, In x, In gamma,
                                In mean, In variance, Out dx, Out dgamma, Out dbeta) {
  norm.backward(call_of(size, {{operand::dy, dy},
                               {operand::x, x},
                               {operand::parameter(Role::gamma), gamma},
                               {operand::saved(BatchNorm::kMean), mean},
                               {operand::saved(BatchNorm::kVariance), variance},
                               {operand::dx, in(dx)},
                               {operand::gradient(Role::gamma), in(dgamma)},
                               {operand::gradient(Role::beta), in(dbeta)}}));
}
inline void frozen_batch_norm_backward(const Pixels& size, const BatchNorm& norm, In dy, In gamma,
                                       In running_variance, Out dx) {
  norm.backward(call_of(size, {{operand::dy, dy},
                               {operand::parameter(Role::gamma), gamma},
                               {operand::parameter(Role::running_variance), running_variance},
                               {operand::dx, in(dx)}}));
}

inline Sliding sliding(const gpu::Convolution& c) {
  return {.samples = c.batch,
          .height = c.height,
          .width = c.width,
          .channels = c.channels,
          .out_height = c.out_height,
          .out_width = c.out_width,
          .filters = c.filters,
          .size = {c.rows, c.columns},
          .stride = c.stride,
          .dilation = c.dilation,
          .top = c.top,
          .left = c.left};
}

/// Calls body(x index, w index, y index) for each product of a convolution.
template <class Body>
void for_each_product(const Sliding& s, std::int64_t groups, Body body) {
  const std::int64_t channels = s.channels / groups;  // of a group
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    s.for_each_pixel(oy, ox,
                     [&](std::int64_t y, std::int64_t x, std::int64_t row, std::int64_t column) {
                       for (std::int64_t f = 0; f < s.filters; ++f) {
                         const std::int64_t first = f * groups / s.filters * channels;
                         for (std::int64_t c = 0; c < channels; ++c) {
                           body(s.input_at(n, y, x) + first + c,
                                ((f * channels + c) * s.size.rows + row) * s.size.columns + column,
                                s.output_at(n, oy, ox) + f);
                         }
                       }
                     });
  });
}
inline void conv2d_forward(const Sliding& s, In x, In w, In b, Out y, std::int64_t groups = 1) {
  for (std::int64_t i = 0; i < y.size(); ++i) y[i] = b.empty() ? 0.0 : b[i % s.filters];
  for_each_product(s, groups, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    y[yi] += x[xi] * w[wi];
  });
}
inline void conv2d_backward_data(const Sliding& s, In dy, In w, Out dx, std::int64_t groups = 1) {
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_product(s, groups, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    dx[xi] += dy[yi] * w[wi];
  });
}
inline void conv2d_backward_parameters(const Sliding& s, In x, In dy, Out dw, Out db,
                                       std::int64_t groups = 1) {
  std::fill(dw.begin(), dw.end(), 0.0);
  std::fill(db.begin(), db.end(), 0.0);
  for_each_product(s, groups, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) {
    dw[wi] += dy[yi] * x[xi];
  });
  for (std::int64_t i = 0; i < dy.size() && !db.empty(); ++i) db[i % s.filters] += dy[i];
}

/// Calls body(x index, y index) for each pixel of each window and each channel.
template <class Body>
void for_each_pooled(const Sliding& s, Body body) {
  s.for_each_position([&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    s.for_each_pixel(oy, ox, [&](std::int64_t y, std::int64_t x, std::int64_t, std::int64_t) {
      for (std::int64_t c = 0; c < s.channels; ++c) {
        body(s.input_at(n, y, x) + c, s.output_at(n, oy, ox) + c);
      }
    });
  });
}
/// `winners`: the index in x of each maximum, the first of equal ones; a NaN wins and stays.
inline void max_pool_forward(const Sliding& s, In x, Out y, Out winners) {
  std::fill(winners.begin(), winners.end(), -1.0);
  for_each_pooled(s, [&](std::int64_t xi, std::int64_t yi) {
    if (winners[yi] >= 0 && !(x[xi] > y[yi]) && !(std::isnan(x[xi]) && !std::isnan(y[yi]))) return;
    y[yi] = x[xi];
    winners[yi] = static_cast<double>(xi);
  });
}
inline void max_pool_backward(In dy, In winners, Out dx) {
  std::fill(dx.begin(), dx.end(), 0.0);
  for (std::int64_t i = 0; i < dy.size(); ++i) dx[static_cast<std::int64_t>(winners[i])] += dy[i];
}
/// How many pixels of the image each output is the mean of.
inline std::vector<double> covered(const Sliding& s, std::int64_t outputs) {
  std::vector<double> count(static_cast<std::size_t>(outputs), 0.0);
  for_each_pooled(s, [&](std::int64_t, std::int64_t yi) { ++count[static_cast<std::size_t>(yi)]; });
  return count;
}
inline void avg_pool_forward(const Sliding& s, const std::vector<double>& count, In x, Out y) {
  std::fill(y.begin(), y.end(), 0.0);
  for_each_pooled(s, [&](std::int64_t xi, std::int64_t yi) { y[yi] += x[xi]; });
  std::transform(y.begin(), y.end(), count.begin(), y.begin(), std::divides<>());
}
inline void avg_pool_backward(const Sliding& s, const std::vector<double>& count, In dy, Out dx) {
  std::fill(dx.begin(), dx.end(), 0.0);
  for_each_pooled(s, [&](std::int64_t xi, std::int64_t yi) {
    dx[xi] += dy[yi] / count[static_cast<std::size_t>(yi)];
  });
}

}  // namespace millrace::nn::reference
