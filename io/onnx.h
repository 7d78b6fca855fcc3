#pragma once
// ONNX files: a graph of operations with the numbers that they read, which other programs run. This
// is the form of the file; which operations a model becomes is decided elsewhere
// (training/export_onnx.h).

#include <millrace/core/shape.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace millrace {

struct OnnxAttribute {
  std::string name;
  std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>> value;
};

struct OnnxNode {
  std::string op;  ///< "Conv"
  std::string name;
  std::vector<std::string> inputs;  ///< values by name; an empty one is left out
  std::vector<std::string> outputs;
  std::vector<OnnxAttribute> attributes{};
};

/// Numbers of the graph. Those of a span stay the caller's.
struct OnnxConstant {
  std::string name;
  Shape shape;  ///< without dimensions: one number
  std::variant<std::span<const float>, std::vector<float>, std::vector<std::int64_t>> values;
};

/// An input or output of the graph, of type float32.
struct OnnxValue {
  std::string name;
  Shape sample;  ///< of one sample; before it comes a dimension "N" that is free
};

struct OnnxGraph {
  std::string name;
  int opset = 17;                 ///< version of ONNX's operators
  std::string version{};          ///< of the program that wrote it
  std::vector<OnnxNode> nodes{};  ///< each after those whose outputs it reads
  std::vector<OnnxConstant> constants{};
  OnnxValue input{}, output{};
  std::map<std::string, std::string> metadata{};
};

/// The version of the file format: 8, or the first one that ONNX has for a later opset.
[[nodiscard]] int onnx_ir_version(int opset) noexcept;

/// The most bytes of a file: ONNX's messages have no more.
inline constexpr std::int64_t kMostOnnxBytes = (std::int64_t{1} << 31) - 1;

/// Writes the graph. The file appears under its name when it is complete. Takes memory for a second
/// copy of the numbers. Throws Error naming the file: disk, or more than kMostOnnxBytes.
void write_onnx(const std::filesystem::path& path, const OnnxGraph& graph);

}  // namespace millrace
