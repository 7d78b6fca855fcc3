#include <millrace/nodes/standardize.h>

#include <millrace/nn/preprocessing.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kRows = 4;        // rows that share a walk through the whitening matrix
constexpr std::size_t kColumns = 1024;  // of the products that stay in the first-level cache

constexpr std::size_t kUnrolled = 4;  // rows of it that are added to a sum while it is loaded

/// sum[j] += values[0] weights[0][j] + values[1] weights[1][j] + ..., rows `stride` apart.
void add_products(std::span<const float> values, const float* weights, std::size_t stride,
                  std::span<float> sum) {
  if (values.size() == kUnrolled) {
    const float a = values[0], b = values[1], c = values[2], d = values[3];
    for (std::size_t j = 0; j < sum.size(); ++j) {
      const float* const w = weights + j;
      sum[j] += (a * w[0] + b * w[stride]) + (c * w[2 * stride] + d * w[3 * stride]);
    }
    return;
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < sum.size(); ++j) sum[j] += values[i] * weights[i * stride + j];
  }
}

struct Spread {
  double mean = 0, deviation = 0;
};

/// Of all values of a sample; the deviation divides by their number.
Spread spread_of(std::span<const float> values) {
  const auto n = static_cast<double>(values.size());
  Spread spread;
  for (const float value : values) spread.mean += static_cast<double>(value);
  spread.mean /= n;
  for (const float value : values) {
    const double rest = static_cast<double>(value) - spread.mean;
    spread.deviation += rest * rest;
  }
  spread.deviation = std::sqrt(spread.deviation / n);
  return spread;
}

/// value = (value - mean[c]) / deviation[c]; empty lists are 0 and 1.
void shift_channels(std::span<float> row, std::span<const float> mean,
                    std::span<const float> deviation) {
  const std::size_t channels = std::max(mean.size(), deviation.size());
  for (std::size_t c = 0; c < channels; ++c) {
    const float offset = mean.empty() ? 0.0F : mean[c];
    const float divisor = deviation.empty() ? 1.0F : deviation[c];
    for (std::size_t i = c; i < row.size(); i += channels) row[i] = (row[i] - offset) / divisor;
  }
}

}  // namespace

Standardize::Standardize(nn::Preprocessing preprocessing, const Shape& sample)
    : preprocessing_(std::move(preprocessing)),
      features_(static_cast<std::size_t>(sample.elements())) {
  nn::check_preprocessing(preprocessing_, sample);
  if (!preprocessing_.whiten) return;
  if (preprocessing_.whitening == nullptr) {
    throw Error(
        "preprocessing.whiten: there is no matrix; it is fitted to data, or comes with a "
        "model's weights");
  }
  product_.resize(kRows * features_);
}

void Standardize::standardize(std::span<float> row) const {
  const nn::Preprocessing& p = preprocessing_;
  if (p.order == nn::ChannelOrder::bgr) {
    for (std::size_t i = 0; i + 2 < row.size(); i += 3) std::swap(row[i], row[i + 2]);
  }
  for (float& value : row) value *= p.scale;
  if (p.samplewise_center) {
    const Spread spread = spread_of(row);
    const auto mean = static_cast<float>(spread.mean);
    const auto divisor =
        static_cast<float>(p.samplewise_deviation ? spread.deviation + nn::kDeviationEpsilon : 1.0);
    for (float& value : row) value = (value - mean) / divisor;
  }
  shift_channels(row, p.mean, p.deviation);
}

// The matrix is walked once for kRows rows. It is symmetric, so its rows are its columns; sums run
// over i in order, whatever rows share the walk, so each row's result depends on that row alone.
void Standardize::whiten(std::span<float* const> rows) {
  const float* const matrix = preprocessing_.whitening->data();
  std::fill(product_.begin(), product_.end(), 0.0F);
  for (std::size_t first = 0; first < features_; first += kColumns) {
    const std::size_t columns = std::min(kColumns, features_ - first);
    for (std::size_t i = 0; i < features_; i += kUnrolled) {
      const std::size_t steps = std::min(kUnrolled, features_ - i);
      for (std::size_t r = 0; r < rows.size(); ++r) {
        add_products(std::span<const float>(rows[r] + i, steps), matrix + i * features_ + first,
                     features_, {product_.data() + r * features_ + first, columns});
      }
    }
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::copy_n(product_.data() + r * features_, features_, rows[r]);
  }
}

Ticket Standardize::operator()(const Ticket& ticket) {
  HostBatch& batch = *ticket.batch;
  std::array<float*, kRows> rows{};
  std::size_t count = 0;
  for (std::uint32_t i = ticket.first; i < ticket.first + ticket.count; ++i) {
    if (batch.valid[i] == 0) continue;
    const std::span<float> row = batch.row(i).as<float>();
    MILLRACE_CHECK(row.size() == features_, "samples of ", row.size(), " elements, not ",
                   features_);
    standardize(row);
    rows[count++] = row.data();
    if (preprocessing_.whiten && count == kRows) whiten(rows);
    count %= kRows;
  }
  if (preprocessing_.whiten && count > 0) whiten(std::span(rows).first(count));
  return ticket;
}

void charge_whitening(Pipeline& pipeline, const nn::Preprocessing& preprocessing) {
  if (preprocessing.whitening == nullptr) return;
  pipeline.charge("whitening matrix", 1, Bytes{preprocessing.whitening->size() * sizeof(float)});
}

Bytes Standardize::scratch() const noexcept {
  return {product_.size() * sizeof(float)};
}

}  // namespace millrace
