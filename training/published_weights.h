#pragma once
// Recognises published weights in a file: their preprocessing is then
// known too, although the file does not record it.

#include <millrace/io/weight_file.h>

#include <optional>
#include <string>

namespace millrace {

struct PublishedModel {
  std::string maker, model;   ///< "torchvision", "VGG16"
  std::string network;        ///< of the zoo: "vgg16"
  std::string preprocessing;  ///< the word of nn::preprocessing_named(): "torch"
};

/// The published model of a file, found by names and shapes of all its convolutions: VGG11,
/// VGG13, VGG16 and VGG19 of torchvision and timm, with batch norm or without
/// ("features.0.weight" 64x3x3x3, ...; preprocessing torch), VGG16 and VGG19 of Keras
/// ("block1_conv1" 3x3x3x64, ...; preprocessing caffe). None missing, none besides. Dense layers do
/// not count: they are often replaced, and they change with the size of the input. Nothing for
/// any other file, whose preprocessing is unknown.
[[nodiscard]] std::optional<PublishedModel> published_model(const WeightFile& file);

}  // namespace millrace
