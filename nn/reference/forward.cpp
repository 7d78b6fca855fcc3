#include <millrace/nn/reference/ops.h>
#include <millrace/nn/reference/sliding.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace millrace::nn::reference {
namespace {

/// Outputs `first` to `first` + count of one sample. Several sums at a time, because an addition
/// waits for the one before it in its own sum alone; each sum has the order of the inputs.
template <std::int64_t count>
void dense_units(const DenseSize& s, const double* x, In w, In b, double* y, std::int64_t first) {
  std::array<double, static_cast<std::size_t>(count)> sums{};
  for (std::int64_t u = 0; u < count && !b.empty(); ++u) {
    sums[static_cast<std::size_t>(u)] = b[first + u];
  }
  const double* const rows = w.begin() + first * s.inputs;
  for (std::int64_t i = 0; i < s.inputs; ++i) {
    for (std::int64_t u = 0; u < count; ++u) {
      sums[static_cast<std::size_t>(u)] += x[i] * rows[u * s.inputs + i];
    }
  }
  std::copy(sums.begin(), sums.end(), y + first);
}

}  // namespace

void dense_forward(const DenseSize& s, In x, In w, In b, Out y) {
  constexpr std::int64_t abreast = 8;
  for (std::int64_t n = 0; n < s.samples; ++n) {
    const double* const in = x.begin() + n * s.inputs;
    double* const out = y.begin() + n * s.units;
    std::int64_t u = 0;
    for (; u + abreast <= s.units; u += abreast) dense_units<abreast>(s, in, w, b, out, u);
    for (; u < s.units; ++u) dense_units<1>(s, in, w, b, out, u);
  }
}

void conv2d_forward(const Sliding& s, In x, In w, In b, Out y) {
  for_each_position(s, [&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    const std::int64_t out = output_at(s, n, oy, ox);
    for (std::int64_t f = 0; f < s.filters; ++f) y[out + f] = b.empty() ? 0.0 : b[f];
  });
  for_each_product(
      s, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) { y[yi] += x[xi] * w[wi]; });
}

void max_pool_forward(const Sliding& s, In x, Out y, Out winners) {
  for_each_position(s, [&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    for (std::int64_t c = 0; c < s.channels; ++c) {
      double highest = -std::numeric_limits<double>::infinity();
      std::int64_t winner = -1;
      for_each_pixel(s, oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t, std::int64_t) {
        const std::int64_t at = input_at(s, n, iy, ix) + c;
        // A NaN wins and stays, as in PyTorch: a diverged run must not look healthy.
        if (winner < 0 || x[at] > highest || (std::isnan(x[at]) && !std::isnan(highest))) {
          highest = x[at];
          winner = at;
        }
      });
      const std::int64_t out = output_at(s, n, oy, ox) + c;
      y[out] = highest;
      if (!winners.empty()) winners[out] = static_cast<double>(winner);
    }
  });
}

void avg_pool_forward(const Sliding& s, In x, Out y) {
  for_each_position(s, [&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    for (std::int64_t c = 0; c < s.channels; ++c) {
      double sum = 0;
      for_each_pixel(s, oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t, std::int64_t) {
        sum += x[input_at(s, n, iy, ix) + c];
      });
      y[output_at(s, n, oy, ox) + c] = sum / pixels_under(s, oy, ox);
    }
  });
}

void global_avg_pool_forward(const Pixels& s, In x, Out y) {
  for (std::int64_t n = 0; n < s.samples; ++n) {
    for (std::int64_t c = 0; c < s.channels; ++c) {
      double sum = 0;
      for (std::int64_t p = 0; p < s.pixels; ++p) sum += x[(n * s.pixels + p) * s.channels + c];
      y[n * s.channels + c] = sum / static_cast<double>(s.pixels);
    }
  }
}

void relu_forward(In x, Out y) {
  std::transform(x.begin(), x.end(), y.begin(), [](double v) { return v < 0 ? 0.0 : v; });
}

void sigmoid_forward(In x, Out y) {
  std::transform(x.begin(), x.end(), y.begin(), [](double v) { return 1 / (1 + std::exp(-v)); });
}

void softmax_forward(std::int64_t classes, In x, Out y) {
  for (std::ptrdiff_t row = 0; row < x.end() - x.begin(); row += classes) {
    const double highest = *std::max_element(x.begin() + row, x.begin() + row + classes);
    double sum = 0;
    for (std::int64_t k = row; k < row + classes; ++k) sum += std::exp(x[k] - highest);
    for (std::int64_t k = row; k < row + classes; ++k) y[k] = std::exp(x[k] - highest) / sum;
  }
}

void dropout_forward(double rate, In x, In mask, Out y) {
  std::transform(x.begin(), x.end(), mask.begin(), y.begin(),
                 [rate](double v, double keep) { return keep != 0 ? v / (1 - rate) : 0.0; });
}

void batch_norm_forward(const Pixels& s, const Norm& norm, In x, In gamma, In beta,
                        Out running_mean, Out running_variance, Out y, Out mean, Out variance) {
  const std::int64_t rows = s.samples * s.pixels;
  const auto count = static_cast<double>(rows);
  for (std::int64_t c = 0; c < s.channels; ++c) {
    double sum = 0;
    for (std::int64_t r = 0; r < rows; ++r) sum += x[r * s.channels + c];
    mean[c] = sum / count;
    double squares = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      squares += (x[r * s.channels + c] - mean[c]) * (x[r * s.channels + c] - mean[c]);
    }
    variance[c] = squares / count;
    // One value has no unbiased variance; its biased one is 0.
    const bool is_biased = norm.biased_variance || rows == 1;
    const double kept = is_biased ? variance[c] : squares / (count - 1);
    running_mean[c] = norm.momentum * running_mean[c] + (1 - norm.momentum) * mean[c];
    running_variance[c] = norm.momentum * running_variance[c] + (1 - norm.momentum) * kept;
  }
  frozen_batch_norm_forward(s, norm, x, gamma, beta, mean, variance, y);
}

void frozen_batch_norm_forward(const Pixels& s, const Norm& norm, In x, In gamma, In beta,
                               In running_mean, In running_variance, Out y) {
  for (std::int64_t c = 0; c < s.channels; ++c) {
    const double deviation = std::sqrt(running_variance[c] + norm.epsilon);
    for (std::int64_t r = 0; r < s.samples * s.pixels; ++r) {
      const std::int64_t at = r * s.channels + c;
      y[at] = gamma[c] * (x[at] - running_mean[c]) / deviation + beta[c];
    }
  }
}

}  // namespace millrace::nn::reference
