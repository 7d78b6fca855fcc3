#include <millrace/nodes/cast.h>

#include <millrace/nn/preprocessing.h>

#include <algorithm>
#include <array>

namespace millrace {
namespace {

constexpr std::size_t kVector = 16;

double channel_value(const std::vector<float>& values, std::size_t channel, double otherwise) {
  return values.empty() ? otherwise : static_cast<double>(values[channel]);
}

void check_channels(const char* name, const std::vector<float>& values, std::size_t channels) {
  if (!values.empty() && values.size() != channels) {
    throw UsageError(concat("preprocessing: ", name, " has ", values.size(), " entries for ",
                            channels, " channels"));
  }
}

}  // namespace

Cast::Cast(const nn::Preprocessing& preprocessing, const Shape& sample)
    : swaps_(preprocessing.order == nn::ChannelOrder::bgr),
      wants_floats_(nn::needs_whole_samples(preprocessing)),
      is_for_images_(sample.rank() == 3) {
  const auto channels = static_cast<std::size_t>(sample[-1]);
  const bool is_plain = preprocessing.mean.empty() && preprocessing.deviation.empty();
  check_channels("mean", preprocessing.mean, channels);
  check_channels("deviation", preprocessing.deviation, channels);
  const std::size_t period = is_plain ? kVector : channels * kVector;
  for (std::size_t i = 0; i < period; ++i) {
    const double mean = channel_value(preprocessing.mean, i % channels, 0.0);
    const double deviation = channel_value(preprocessing.deviation, i % channels, 1.0);
    factor_.push_back(static_cast<float>(static_cast<double>(preprocessing.scale) / deviation));
    offset_.push_back(static_cast<float>(-mean / deviation));
  }
  for (std::size_t c = 0; c < channels; ++c) {
    by_channel_.factor.push_back(factor_[c % period]);
    by_channel_.offset.push_back(offset_[c % period]);
  }
  by_channel_.swaps_channels = swaps_;
  none_.factor.assign(channels, 1.0F);
  none_.offset.assign(channels, 0.0F);
}

template <class Pixel>
void Cast::normalize(std::span<const Pixel> pixels, std::span<float> input) const {
  const float* const factor = factor_.data();
  const float* const offset = offset_.data();
  const std::size_t period = factor_.size();  // a multiple of kVector
  std::size_t phase = 0;
  std::size_t begin = 0;
  // As many at a time as the compiler knows of, so that it uses vectors.
  for (; begin + kVector <= pixels.size(); begin += kVector) {
    const Pixel* const from = pixels.data() + begin;
    float* const to = input.data() + begin;
    for (std::size_t i = 0; i < kVector; ++i) {
      to[i] = static_cast<float>(from[i]) * factor[phase + i] + offset[phase + i];
    }
    phase = phase + kVector == period ? 0 : phase + kVector;
  }
  for (std::size_t i = 0; begin + i < pixels.size(); ++i) {
    input[begin + i] =
        static_cast<float>(pixels[begin + i]) * factor[phase + i] + offset[phase + i];
  }
}

template <class Pixel>
void Cast::normalize_swapped(std::span<const Pixel> pixels, std::span<float> input) const {
  const std::array<float, 3> factor{factor_[0], factor_[1], factor_[2]};
  const std::array<float, 3> offset{offset_[0], offset_[1], offset_[2]};
  for (std::size_t i = 0; i + 2 < pixels.size(); i += 3) {
    for (std::size_t c = 0; c < 3; ++c) {
      input[i + c] = static_cast<float>(pixels[i + 2 - c]) * factor[c] + offset[c];
    }
  }
}

Pending<Lease<DeviceBatch>> Cast::operator()(const Lease<DeviceBatch>& batch) const {
  const DType dtype = batch->host->dtype;
  MILLRACE_CHECK(batch->sample.elements() == batch->host->sample.elements(), "samples of ",
                 to_string(batch->host->sample), " do not fit the model's input ",
                 to_string(batch->sample));
  MILLRACE_CHECK(!wants_floats_ || dtype == DType::f32,
                 "the preprocessing looks at whole samples: Standardize comes before Cast");
  Completion ended = Completion::done();
  if (batch->device == nullptr) {
    cast_on_host(*batch);
  } else if (batch->size > 0) {
    const bool is_done = dtype == DType::f32 && is_for_images_;
    ended = batch->device->cast(is_done ? none_ : by_channel_);
  }
  batch->host.reset();
  return {batch, std::move(ended)};
}

void Cast::cast_on_host(DeviceBatch& batch) const {
  const ConstTensorView rows = batch.host->rows();
  const std::span<float> input = batch.input.as<float>();
  if (rows.dtype == DType::f32 && is_for_images_)
    std::copy_n(rows.as<float>().begin(), rows.shape.elements(), input.begin());
  else if (rows.dtype == DType::f32)
    normalize(rows.as<float>(), input);
  else if (swaps_)
    normalize_swapped(rows.as<std::uint8_t>(), input);
  else
    normalize(rows.as<std::uint8_t>(), input);
}

}  // namespace millrace
