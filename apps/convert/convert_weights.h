#pragma once
// millrace convert weights: weights of Keras, PyTorch or Millrace as one safetensors file that
// PyTorch and Millrace read.

#include <millrace/training/weight_matching.h>

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::apps {

struct ConvertWeightsOptions {
  std::string from, to;
  std::string model;                 ///< SPEC, JSON or model file; empty: what the file is known as
  std::string input;                 ///< HxWxC, of a SPEC; empty: what the weights fit
  std::int64_t outputs = 0;          ///< of a SPEC; 0: as many as the file has
  std::vector<std::string> classes;  ///< their names; empty: the model's own
  PretrainedOptions pretrained;
  bool overwrite = false, quiet = false;
};

/// Writes the file, with the names of the model's layers, which for those of the zoo are
/// torchvision's, and PyTorch's layouts; the model with its preprocessing is in the metadata.
/// Throws Error: as Pretrained does, weights of the model are missing, or the file is there and is
/// not to be replaced; UsageError: a model, or its input, has to be named; Stopped: a stop was
/// requested before it wrote.
void convert_weights(const ConvertWeightsOptions& options, const std::stop_token& stop);

}  // namespace millrace::apps
