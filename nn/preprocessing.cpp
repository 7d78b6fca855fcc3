#include <millrace/nn/preprocessing.h>

#include <millrace/core/bytes.h>
#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace millrace::nn {
namespace {

constexpr std::array<const char*, 4> kFamilies{"caffe", "tf", "torch", "rescale"};

void check_constants(const char* what, const std::vector<float>& values, std::int64_t channels) {
  if (!values.empty() && static_cast<std::int64_t>(values.size()) != channels) {
    throw Error(concat("preprocessing.", what, ": expected one number for each of ", channels,
                       " channels, not ", values.size()));
  }
  for (const float value : values) {
    if (!std::isfinite(value)) throw Error(concat("preprocessing.", what, ": not a finite number"));
  }
}

void check_whitening(const Preprocessing& preprocessing, std::int64_t features) {
  if (!preprocessing.whiten) return;
  if (features > kMostWhitenedFeatures) {
    const auto n = static_cast<std::uint64_t>(features);
    throw Error(concat("preprocessing.whiten: a sample of ", features,
                       " elements needs a matrix of ", features, " x ", features, " numbers (",
                       Bytes{4 * n * n}, "); the limit is ", kMostWhitenedFeatures, " elements"));
  }
  if (preprocessing.whitening == nullptr) return;
  if (static_cast<std::int64_t>(preprocessing.whitening->size()) != features * features) {
    throw Error(concat("preprocessing.whitening: ", preprocessing.whitening->size(),
                       " numbers for samples of ", features, " elements"));
  }
}

std::string list(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += concat(text.empty() ? "" : ",", value);
  return text;
}

std::string family_of(const Preprocessing& preprocessing) {
  for (const char* name : kFamilies) {
    const auto channels = std::max<std::size_t>(preprocessing.mean.size(), 1);
    const bool wants_colour =
        std::string_view(name) == "caffe" || std::string_view(name) == "torch";
    if (wants_colour && channels != 3) continue;
    const Preprocessing family = with_reading_of(
        preprocessing, preprocessing_named(name, static_cast<std::int64_t>(channels)));
    if (family == preprocessing) return concat(name, ": ");
  }
  return {};
}

}  // namespace

const char* to_string(ChannelOrder order) noexcept {
  return order == ChannelOrder::bgr ? "bgr" : "rgb";
}

Preprocessing preprocessing_named(std::string_view name, std::int64_t channels) {
  if (std::find(kFamilies.begin(), kFamilies.end(), name) == kFamilies.end()) {
    throw UsageError(
        concat("unknown preprocessing '", name, "'; known: caffe, tf, torch, rescale"));
  }
  if (name == "rescale") return {};
  if (name == "tf") {
    return {.scale = 1.0F / 127.5F,
            .mean = std::vector<float>(static_cast<std::size_t>(channels), 1.0F)};
  }
  if (channels != 3) {
    throw UsageError(concat("preprocessing '", name, "' needs RGB images, not ", channels,
                            channels == 1 ? " channel" : " channels"));
  }
  if (name == "caffe") {
    return {.scale = 1, .mean = {103.939F, 116.779F, 123.68F}, .order = ChannelOrder::bgr};
  }
  return {.mean = {0.485F, 0.456F, 0.406F}, .deviation = {0.229F, 0.224F, 0.225F}};
}

Preprocessing with_reading_of(const Preprocessing& reading, Preprocessing numbers) {
  numbers.filter = reading.filter;
  numbers.exif_orientation = reading.exif_orientation;
  numbers.background = reading.background;
  return numbers;
}

Preprocessing default_preprocessing(const Shape& sample) {
  Preprocessing result;
  if (sample.rank() == 1) result.scale = 1;
  return result;
}

std::string describe(const Preprocessing& p) {
  std::vector<std::string> parts;
  if (p.background) parts.push_back("on " + to_string(*p.background));
  if (p.order == ChannelOrder::bgr) parts.emplace_back("BGR");
  if (p.scale != 1) {
    parts.push_back(p.scale < 1 ? concat("pixel / ", 1 / p.scale) : concat("pixel * ", p.scale));
  }
  if (p.samplewise_center) parts.emplace_back("minus the sample's mean");
  if (p.samplewise_deviation) parts.emplace_back("over the sample's deviation");
  if (!p.mean.empty()) parts.push_back("minus " + list(p.mean));
  if (!p.deviation.empty()) parts.push_back("over " + list(p.deviation));
  if (p.whiten) parts.emplace_back("whitened");
  if (parts.empty()) parts.emplace_back("as it is");
  std::string text = family_of(p);
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : ", ") + parts[i];
  return text;
}

bool needs_whole_samples(const Preprocessing& preprocessing) noexcept {
  return preprocessing.samplewise_center || preprocessing.samplewise_deviation ||
         preprocessing.whiten;
}

DType host_dtype(const Preprocessing& preprocessing, DType stored) noexcept {
  return needs_whole_samples(preprocessing) ? DType::f32 : stored;
}

void check_preprocessing(const Preprocessing& preprocessing, const Shape& sample) {
  const std::int64_t channels = sample[-1];
  if (preprocessing.filter.empty()) throw Error("preprocessing.filter: expected a name");
  if (!std::isfinite(preprocessing.scale)) {
    throw Error("preprocessing.scale: expected a finite number");
  }
  if ((preprocessing.background || preprocessing.exif_orientation) && sample.rank() != 3) {
    throw Error(concat("preprocessing: background and exif_orientation are for images, not for ",
                       "rows of ", sample));
  }
  check_constants("mean", preprocessing.mean, channels);
  check_constants("deviation", preprocessing.deviation, channels);
  const auto& deviation = preprocessing.deviation;
  if (std::any_of(deviation.begin(), deviation.end(), [](float d) { return d <= 0; })) {
    throw Error("preprocessing.deviation: expected positive numbers");
  }
  if (preprocessing.order == ChannelOrder::bgr && (sample.rank() != 3 || channels != 3)) {
    throw Error(concat("preprocessing.order: bgr needs images of 3 channels, not ", sample));
  }
  if (preprocessing.samplewise_deviation && !preprocessing.samplewise_center) {
    throw Error("preprocessing.samplewise_deviation: needs samplewise_center too");
  }
  if (needs_whole_samples(preprocessing) && sample.rank() != 3) {
    throw Error(
        concat("preprocessing: samplewise_center, samplewise_deviation and whiten are for "
               "images, not for rows of ",
               sample));
  }
  check_whitening(preprocessing, sample.elements());
}

}  // namespace millrace::nn
