#pragma once
// Weight files in the safetensors format: a JSON header and the plain numbers. Written atomically;
// read without trusting the header.
// Format: https://github.com/huggingface/safetensors, section "Format".

#include <millrace/core/shape.h>
#include <millrace/io/files.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// Free text beside the tensors, keys unique.
using Metadata = std::map<std::string, std::string>;

/// A tensor to be written; the values stay the caller's.
struct NamedTensor {
  std::string name;
  Shape shape;
  std::span<const float> values;  ///< row-major, shape.elements() of them
};

/// Writes all tensors as F32, ordered by name. The file appears under its name when it is complete.
/// Throws Error (disk), UsageError for a name given twice or a name or text that is not UTF-8.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata = {});

/// A file whose header has been read and checked, and whose tensors are read on demand.
///
/// Thread safety: constant after construction; reading is thread-safe.
class SafetensorsFile {
 public:
  struct Tensor {
    std::string name;
    std::string dtype;  ///< as the file calls it: "F32", "BF16", ...
    Shape shape;
    std::uint64_t offset = 0;  ///< from the start of the file
    std::uint64_t bytes = 0;
  };

  /// Throws Error naming the file and the tensor: a file of another kind (detail/weight_kind.h), a
  /// header that is too long or no JSON of the format, a tensor named twice, sizes that do not fit
  /// shape and type, gaps, overlaps, or bytes after the end.
  explicit SafetensorsFile(const std::filesystem::path& path);

  [[nodiscard]] const RandomAccessFile& file() const noexcept { return file_; }
  [[nodiscard]] const Metadata& metadata() const noexcept { return metadata_; }
  [[nodiscard]] const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
  /// nullptr if there is none of this name.
  [[nodiscard]] const Tensor* find(std::string_view name) const noexcept;
  /// Reads a tensor of F32, F16, BF16 or F64 as float. Throws Error if there is none of this name,
  /// it has another type or another number of elements than `into`.
  void read(std::string_view name, std::span<float> into) const;
  /// The same for the elements [first, first + into.size()) of a tensor.
  void read(std::string_view name, std::uint64_t first, std::span<float> into) const;

 private:
  RandomAccessFile file_;
  Metadata metadata_;
  std::vector<Tensor> tensors_;  // in the order of their data
};

}  // namespace millrace
