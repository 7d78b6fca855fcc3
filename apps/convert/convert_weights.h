#pragma once
// millrace convert weights: weights of Keras, PyTorch or Millrace as one safetensors file that
// PyTorch and Millrace read.

#include <millrace/training/weight_matching.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace millrace::apps {

struct ConvertWeightsOptions {
  std::string from, to;
  std::string model;                 ///< SPEC, JSON or model file; empty: the file's own, or VGG16
  std::string input;                 ///< HxWxC, with a SPEC
  std::int64_t outputs = 0;          ///< with a SPEC
  std::vector<std::string> classes;  ///< their names; empty: the model's own
  PretrainedOptions pretrained;
  bool quiet = false;
};

/// Writes the file, with the names of the model's layers, which for VGG16 are torchvision's, and
/// PyTorch's layouts; the model with its preprocessing is in the metadata. Throws Error: as
/// Pretrained does, or weights of the model are missing; UsageError: a model has to be named.
void convert_weights(const ConvertWeightsOptions& options);

}  // namespace millrace::apps
