#pragma once
// A trained model as an ONNX file, for onnxruntime and the like.

#include <millrace/io/onnx.h>
#include <millrace/training/saved_model.h>

#include <filesystem>
#include <string>

namespace millrace {

/// Versions of ONNX's operators for which what is written was compared with our engines.
inline constexpr int kLeastOpset = 13, kUsualOpset = 17, kMostOpset = 22;

struct OnnxOptions {
  int opset = kUsualOpset;
  /// The graph takes pixels from 0 to 255 in RGB: scale, mean, deviation and the order of channels
  /// are operations of it. Otherwise its input is what the model's is, and how pixels become that
  /// is in the metadata.
  bool with_preprocessing = false;
  std::string version{};  ///< of the program, for the file
};

/// The graph of a model outside training, whose constants are those of `saved`, which must outlive
/// it. Images are [N][channels][height][width]. Input and output are called "input" and "output",
/// nodes as the layers are, those that a layer needs besides "LAYER/WHAT". Dropout and stochastic
/// depth vanish; batch norm uses its running statistics; a model that ends in logits gives logits.
///
/// Metadata: millrace.preprocessing, the JSON of a model's "preprocessing";
/// millrace.preprocessing_inside, "true" or "false"; millrace.outputs, "probabilities", "logits",
/// "numbers" or, of an image, "features"; millrace.classes and millrace.targets, lists in JSON,
/// where there are any.
///
/// Throws Error: a layer whose kind has no translation, or none for this opset, by the layer's
/// name; with_preprocessing of a model whose preprocessing looks at whole samples. UsageError: an
/// opset out of its range.
[[nodiscard]] OnnxGraph onnx_graph(const SavedModel& saved, const OnnxOptions& options = {});

/// Writes it; see write_onnx().
void export_onnx(const std::filesystem::path& path, const SavedModel& saved,
                 const OnnxOptions& options = {});

}  // namespace millrace
