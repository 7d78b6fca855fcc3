#include <millrace/nodes/moments.h>

#include <millrace/core/error.h>

#include <cblas.h>

#include <cmath>
#include <utility>

namespace millrace {
namespace {

constexpr std::size_t kBlock = 256;  // samples whose products float32 adds without rounding

}  // namespace

Moments::Moments(const Shape& sample, bool with_pairs, bool swaps)
    : features_(static_cast<std::size_t>(sample.elements())),
      channels_(static_cast<std::size_t>(sample[-1])),
      swaps_(swaps),
      shift_(channels_),
      sum_(channels_),
      square_(channels_) {
  MILLRACE_CHECK(!swaps || channels_ == 3, "only three channels can be swapped, not ", channels_);
  if (!with_pairs) return;
  element_sum_.resize(features_);
  pairs_.resize(features_ * features_);
  block_.resize(kBlock * features_);
  block_pairs_.resize(features_ * features_);
}

Bytes Moments::bytes(const Shape& sample, bool with_pairs) {
  const auto features = static_cast<std::uint64_t>(sample.elements());
  const std::uint64_t channels = 3 * sizeof(double) * static_cast<std::uint64_t>(sample[-1]);
  if (!with_pairs) return {channels};
  return {channels + features * (sizeof(double) + kBlock * sizeof(float)) +
          features * features * (sizeof(double) + sizeof(float))};
}

template <class Value>
void Moments::add_values(std::span<const Value> values) {
  if (samples_ == 0) {
    for (std::size_t c = 0; c < channels_; ++c) shift_[c] = static_cast<double>(values[c]);
  }
  for (std::size_t begin = 0; begin < values.size(); begin += channels_) {
    for (std::size_t c = 0; c < channels_; ++c) {
      const double value = static_cast<double>(values[begin + c]) - shift_[c];
      sum_[c] += value;
      square_[c] += value * value;
    }
  }
}

void Moments::add_pairs(std::span<const std::uint8_t> pixels) {
  for (std::size_t begin = 0; begin < pixels.size(); begin += features_) {
    float* const row = block_.data() + block_rows_ * features_;
    for (std::size_t i = 0; i < features_; ++i) {
      const std::size_t from = swaps_ ? i - i % 3 + 2 - i % 3 : i;
      row[i] = static_cast<float>(pixels[begin + from]);
      element_sum_[i] += static_cast<double>(row[i]);
    }
    if (++block_rows_ == kBlock) multiply_block();
  }
}

void Moments::multiply_block() {
  const auto n = static_cast<int>(features_);
  cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, n, static_cast<int>(block_rows_), 1.0F,
              block_.data(), n, 0.0F, block_pairs_.data(), n);
  block_rows_ = 0;
  for (std::size_t i = 0; i < features_; ++i) {
    for (std::size_t k = i * features_; k <= i * features_ + i; ++k) {
      pairs_[k] += static_cast<double>(block_pairs_[k]);
    }
  }
}

void Moments::add(const ConstTensorView& rows) {
  MILLRACE_CHECK(static_cast<std::size_t>(rows.shape.without_front().elements()) == features_,
                 "samples of ", to_string(rows.shape.without_front()), " where there are ",
                 features_, " elements");
  if (rows.shape[0] == 0) return;
  if (rows.dtype == DType::u8) {
    add_values(rows.as<std::uint8_t>());
    if (!pairs_.empty()) add_pairs(rows.as<std::uint8_t>());
  } else {
    MILLRACE_CHECK(pairs_.empty(), "pairs of elements are counted for uint8 images");
    add_values(rows.as<float>());
  }
  samples_ += static_cast<std::uint64_t>(rows.shape[0]);
}

std::vector<double> Moments::mean() const {
  const double n = static_cast<double>(samples_ * (features_ / channels_));
  std::vector<double> result(channels_);
  for (std::size_t c = 0; c < channels_; ++c) result[c] = shift_[c] + sum_[c] / n;
  if (swaps_) std::swap(result[0], result[2]);
  return result;
}

std::vector<double> Moments::deviation() const {
  const double n = static_cast<double>(samples_ * (features_ / channels_));
  std::vector<double> result(channels_);
  for (std::size_t c = 0; c < channels_; ++c) {
    const double mean = sum_[c] / n;
    result[c] = std::sqrt(std::max(square_[c] / n - mean * mean, 0.0));
  }
  if (swaps_) std::swap(result[0], result[2]);
  return result;
}

std::vector<double> Moments::take_centred_pairs() {
  MILLRACE_CHECK(!pairs_.empty(), "pairs of elements were not counted");
  if (block_rows_ > 0) multiply_block();
  const std::vector<double> means = mean();
  const auto n = static_cast<double>(samples_);
  for (std::size_t i = 0; i < features_; ++i) {
    const double mean_i = means[i % channels_];
    for (std::size_t j = 0; j <= i; ++j) {
      const double mean_j = means[j % channels_];
      double& pair = pairs_[i * features_ + j];
      pair += n * mean_i * mean_j - mean_i * element_sum_[j] - mean_j * element_sum_[i];
      pairs_[j * features_ + i] = pair;
    }
  }
  return std::move(pairs_);
}

}  // namespace millrace
