#pragma once
// millrace convert onnx: a trained model as a graph that onnxruntime and the like run.

#include <millrace/training/export_onnx.h>

#include <cstdint>
#include <stop_token>
#include <string>

namespace millrace::apps {

struct ConvertOnnxOptions {
  std::string from, to;
  std::int64_t opset = kUsualOpset;
  bool with_preprocessing = false, overwrite = false, quiet = false;
};

/// Writes the file and prints what its input and output are. Throws Error: as export_onnx() does,
/// or the file is there and is not to be replaced; Stopped, before it writes.
void convert_onnx(const ConvertOnnxOptions& options, const std::stop_token& stop);

}  // namespace millrace::apps
