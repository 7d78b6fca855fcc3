#pragma once
// Weights that PyTorch saved (torch.save): .pth and .pt files, as a zip archive and in the form
// that it wrote before version 1.6. Their lists of tensors are pickles, which are read as data
// (detail/pickle.h): nothing is run.

#include <millrace/core/shape.h>
#include <millrace/io/files.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// A file whose tensors have been listed and checked, and are read on demand.
///
/// Thread safety: none; one thread at a time.
class TorchFile {
 public:
  struct Tensor {
    std::string name;
    std::string dtype;  ///< as safetensors call it: "F32", "BF16", ...
    Shape shape;
    std::array<std::int64_t, Shape::kMaxRank> strides{};  ///< in elements
    std::uint64_t offset = 0;                             ///< of its first, from the file's start
    std::size_t storage = 0;                              ///< those that share one are equal
  };

  /// Throws Error naming the file: it ends early or is damaged, its pickle holds something else
  /// than a state_dict (alone, or the one dict of tensors in a checkpoint) or asks for more than
  /// that needs, a tensor does not lie within its storage, or a storage not within the file.
  explicit TorchFile(const std::filesystem::path& path);

  /// Of the state_dict, in its order.
  [[nodiscard]] const std::vector<Tensor>& tensors() const noexcept { return tensors_; }

  /// Reads the elements [first, first + into.size()) of a tensor, row-major whatever its strides,
  /// as float. Requires: there are as many. A tensor that is not contiguous takes as much memory as
  /// the part of its storage that it spans, until its last element is read. Throws Error: it is not
  /// F32, F16, BF16 or F64, spans far more than it has elements, or the archive's checksum of its
  /// storage is another.
  void read(std::size_t tensor, std::uint64_t first, std::span<float> into) const;

 private:
  struct Storage {
    std::uint64_t begin = 0, bytes = 0;
    std::uint32_t crc = 0;  // 0: there is none, or it has been compared
  };
  class Opening;

  [[noreturn]] void fail(const Tensor& tensor, const std::string& what) const;
  void check(const Tensor& tensor) const;
  void gather(std::size_t tensor, std::uint64_t first, std::span<float> into) const;

  RandomAccessFile file_;
  std::vector<Tensor> tensors_;
  mutable std::vector<Storage> storages_;
  mutable std::vector<float> spanned_;  // of the tensor that is being gathered
  mutable std::size_t gathered_ = 0;
};

}  // namespace millrace
