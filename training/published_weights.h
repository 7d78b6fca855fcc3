#pragma once
// Weights that somebody has published, known again in a file: what they were trained with is then
// known too, though the file does not say it.

#include <millrace/io/weight_file.h>

#include <optional>
#include <string>

namespace millrace {

struct PublishedModel {
  std::string maker, model;   ///< "torchvision", "VGG16"
  std::string preprocessing;  ///< the word of nn::preprocessing_named(): "torch"
};

/// The published model that a file is of, told by names and shapes of all its convolutions: VGG11,
/// VGG13, VGG16 and VGG19 of torchvision and timm, with batch norm or without
/// ("features.0.weight" 64x3x3x3, ...; preprocessing torch), VGG16 and VGG19 of Keras
/// ("block1_conv1" 3x3x3x64, ...; preprocessing caffe). None missing, none besides. Dense layers do
/// not count: they are what people replace, and they change with the size of the input. Nothing for
/// any other file: it does not tell what it was trained with.
[[nodiscard]] std::optional<PublishedModel> published_model(const WeightFile& file);

}  // namespace millrace
