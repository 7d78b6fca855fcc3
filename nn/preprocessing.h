#pragma once
// Functions of a model's Preprocessing: those that families of pretrained weights
// need, whether one is valid, and the form of samples under it. The arithmetic itself
// is in nodes/cast.h and nodes/standardize.h.

#include <millrace/nn/model.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::nn {

/// What Keras adds to a deviation before it divides by it.
inline constexpr double kDeviationEpsilon = 1e-6;

/// The most elements of a sample that is whitened: its matrix then takes 64 MiB.
inline constexpr std::int64_t kMostWhitenedFeatures = 4096;

/// The preprocessing of a family of weights, by Keras's words (preprocess_input) and "rescale":
///   caffe    BGR, minus 103.939, 116.779, 123.68 (VGG16, ResNet-50 v1 of Keras)
///   tf       pixel / 127.5 - 1 (MobileNet, Inception)
///   torch    pixel / 255, minus ImageNet's mean, over its deviation, RGB (torchvision)
///   rescale  pixel / 255
/// Throws UsageError that lists the words; caffe and torch want 3 channels.
[[nodiscard]] Preprocessing preprocessing_named(std::string_view name, std::int64_t channels = 3);

/// `numbers` for images that are read as `reading` has it: its filter, orientation and background.
[[nodiscard]] Preprocessing with_reading_of(const Preprocessing& reading, Preprocessing numbers);
/// By default pixels are divided by 255, and columns of a table are taken unchanged.
[[nodiscard]] Preprocessing default_preprocessing(const Shape& sample);

/// In one readable line: "caffe: BGR, minus 103.939,116.779,123.68".
[[nodiscard]] std::string describe(const Preprocessing& preprocessing);

[[nodiscard]] const char* to_string(ChannelOrder order) noexcept;  ///< "rgb"

/// Whether a step looks at whole samples, so that pixels become float32 on the host, before the
/// batch is copied to the device. Otherwise they travel as bytes and the cast does the rest.
[[nodiscard]] bool needs_whole_samples(const Preprocessing& preprocessing) noexcept;

/// The type in which samples of `stored` type travel in host batches.
[[nodiscard]] DType host_dtype(const Preprocessing& preprocessing, DType stored) noexcept;

/// Throws Error naming the field: numbers that are not finite, one a channel missing, a deviation
/// that is not positive, BGR without three channels, a deviation of samples without their mean,
/// whole-sample steps for tables, a whitening matrix of another size or for more than
/// kMostWhitenedFeatures elements.
void check_preprocessing(const Preprocessing& preprocessing, const Shape& sample);

}  // namespace millrace::nn
