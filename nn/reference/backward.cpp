#include <millrace/nn/reference/ops.h>
#include <millrace/nn/reference/sliding.h>

#include <algorithm>
#include <cmath>

namespace millrace::nn::reference {
namespace {

void clear(Out values) {
  std::fill(values.begin(), values.end(), 0.0);
}

}  // namespace

void dense_backward_data(const DenseSize& s, In dy, In w, Out dx) {
  for (std::int64_t n = 0; n < s.samples; ++n) {
    for (std::int64_t i = 0; i < s.inputs; ++i) {
      double sum = 0;
      for (std::int64_t u = 0; u < s.units; ++u) sum += dy[n * s.units + u] * w[u * s.inputs + i];
      dx[n * s.inputs + i] = sum;
    }
  }
}

void dense_backward_parameters(const DenseSize& s, In x, In dy, Out dw, Out db) {
  clear(dw);
  clear(db);
  // A unit after the other, so that its row of dw stays in the cache while samples are added up.
  for (std::int64_t u = 0; u < s.units; ++u) {
    for (std::int64_t n = 0; n < s.samples; ++n) {
      const double d = dy[n * s.units + u];
      for (std::int64_t i = 0; i < s.inputs; ++i) dw[u * s.inputs + i] += d * x[n * s.inputs + i];
      if (!db.empty()) db[u] += d;
    }
  }
}

void conv2d_backward_data(const Sliding& s, In dy, In w, Out dx) {
  clear(dx);
  for_each_product(
      s, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) { dx[xi] += dy[yi] * w[wi]; });
}

void conv2d_backward_parameters(const Sliding& s, In x, In dy, Out dw, Out db) {
  clear(dw);
  clear(db);
  for_each_product(
      s, [&](std::int64_t xi, std::int64_t wi, std::int64_t yi) { dw[wi] += dy[yi] * x[xi]; });
  if (db.empty()) return;
  for_each_position(s, [&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    for (std::int64_t f = 0; f < s.filters; ++f) db[f] += dy[output_at(s, n, oy, ox) + f];
  });
}

void max_pool_backward(In dy, In winners, Out dx) {
  clear(dx);
  for (std::ptrdiff_t i = 0; i < dy.end() - dy.begin(); ++i) {
    dx[static_cast<std::int64_t>(winners[i])] += dy[i];
  }
}

void avg_pool_backward(const Sliding& s, In dy, Out dx) {
  clear(dx);
  for_each_position(s, [&](std::int64_t n, std::int64_t oy, std::int64_t ox) {
    const double share = 1 / pixels_under(s, oy, ox);
    for_each_pixel(s, oy, ox, [&](std::int64_t iy, std::int64_t ix, std::int64_t, std::int64_t) {
      for (std::int64_t c = 0; c < s.channels; ++c) {
        dx[input_at(s, n, iy, ix) + c] += dy[output_at(s, n, oy, ox) + c] * share;
      }
    });
  });
}

void global_avg_pool_backward(const Pixels& s, In dy, Out dx) {
  for (std::int64_t n = 0; n < s.samples; ++n) {
    for (std::int64_t p = 0; p < s.pixels; ++p) {
      for (std::int64_t c = 0; c < s.channels; ++c) {
        dx[(n * s.pixels + p) * s.channels + c] =
            dy[n * s.channels + c] / static_cast<double>(s.pixels);
      }
    }
  }
}

void relu_backward(In dy, In y, Out dx) {
  std::transform(dy.begin(), dy.end(), y.begin(), dx.begin(),
                 [](double d, double v) { return v > 0 ? d : 0.0; });
}

void sigmoid_backward(In dy, In y, Out dx) {
  std::transform(dy.begin(), dy.end(), y.begin(), dx.begin(),
                 [](double d, double v) { return d * v * (1 - v); });
}

void softmax_backward(std::int64_t classes, In dy, In y, Out dx) {
  for (std::ptrdiff_t row = 0; row < dy.end() - dy.begin(); row += classes) {
    double sum = 0;
    for (std::int64_t k = row; k < row + classes; ++k) sum += dy[k] * y[k];
    for (std::int64_t k = row; k < row + classes; ++k) dx[k] = y[k] * (dy[k] - sum);
  }
}

void dropout_backward(double rate, In dy, In mask, Out dx) {
  dropout_forward(rate, dy, mask, dx);
}

// With m values in a channel and h = (x - mean) / deviation:
//   dx = gamma / deviation * (dy - sum(dy) / m - h sum(dy h) / m)
// (Ioffe and Szegedy 2015, section 3, with the chain through mean and variance worked out).
void batch_norm_backward(const Pixels& s, const Norm& norm, In dy, In x, In gamma, In mean,
                         In variance, Out dx, Out dgamma, Out dbeta) {
  const std::int64_t rows = s.samples * s.pixels;
  const auto count = static_cast<double>(rows);
  for (std::int64_t c = 0; c < s.channels; ++c) {
    const double deviation = std::sqrt(variance[c] + norm.epsilon);
    const auto normal = [&](std::int64_t at) { return (x[at] - mean[c]) / deviation; };
    double sum = 0;
    double product = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * s.channels + c;
      sum += dy[at];
      product += dy[at] * normal(at);
    }
    dgamma[c] = product;
    dbeta[c] = sum;
    if (dx.empty()) continue;
    for (std::int64_t r = 0; r < rows; ++r) {
      const std::int64_t at = r * s.channels + c;
      dx[at] = gamma[c] / deviation * (dy[at] - sum / count - normal(at) * product / count);
    }
  }
}

void frozen_batch_norm_backward(const Pixels& s, const Norm& norm, In dy, In gamma,
                                In running_variance, Out dx) {
  for (std::int64_t c = 0; c < s.channels; ++c) {
    const double slope = gamma[c] / std::sqrt(running_variance[c] + norm.epsilon);
    for (std::int64_t r = 0; r < s.samples * s.pixels; ++r) {
      dx[r * s.channels + c] = slope * dy[r * s.channels + c];
    }
  }
}

}  // namespace millrace::nn::reference
