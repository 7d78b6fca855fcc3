#pragma once
// A file of weights of any program: safetensors, PyTorch's .pth or Keras's .h5 and .keras,
// distinguished by content. training/pretrained.h matches the tensors with a model.

#include <millrace/core/shape.h>
#include <millrace/io/hdf5.h>
#include <millrace/io/safetensors.h>
#include <millrace/io/torch_file.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace millrace {

class WeightFile {
 public:
  struct Tensor {
    std::string name;  ///< "features.0.weight"; of Keras "block1_conv1/kernel"
    Shape shape;
  };
  /// A layer of a Keras file; its tensors in Keras's order, none for layers without weights.
  struct Layer {
    std::string name;
    std::string kind;  ///< "conv2d": its class, where the file tells, else its name less the number
    std::vector<std::size_t> tensors;  ///< indices into tensors()
  };

  /// Throws Error naming the file: it is missing, damaged (safetensors.h, torch_file.h, hdf5.h),
  /// without weights, of another kind (detail/weight_kind.h; the line says what to do), or not a
  /// weight file at all.
  explicit WeightFile(const std::filesystem::path& path);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] bool is_keras() const noexcept { return std::holds_alternative<Hdf5File>(file_); }
  [[nodiscard]] const std::vector<Tensor>& tensors() const noexcept { return tensors_; }
  /// Of Keras files: in the order of the model, or for Keras 3, whose files do not keep it, of
  /// classes of layers and then of the model, so that each class is in order. Empty for others.
  [[nodiscard]] const std::vector<Layer>& layers() const noexcept { return layers_; }
  /// Whether layers() are in the order of the model.
  [[nodiscard]] bool is_in_order() const noexcept { return is_in_order_; }
  /// Whether a Keras file says that its images are [channel][row][column].
  [[nodiscard]] bool is_channels_first() const noexcept { return is_channels_first_; }
  /// What wrappers of a model (DataParallel, torch.compile, ...) put in front of the names of all
  /// tensors: "module.", "module._orig_mod."; empty if they did not.
  [[nodiscard]] const std::string& wrapper() const noexcept { return wrapper_; }
  /// Of safetensors; empty for others.
  [[nodiscard]] const Metadata& metadata() const noexcept { return metadata_; }

  /// Reads a tensor as float in parts of whole rows, about a MiB each: part(first element, values).
  /// Throws Error naming the file and the tensor.
  template <class Part>
  void read(std::size_t tensor, Part part) const {
    const Shape& shape = tensors_[tensor].shape;
    const std::int64_t rows = shape.rank() == 0 ? 1 : shape[0];
    const std::int64_t width = rows == 0 ? 0 : shape.elements() / rows;
    const std::int64_t at_a_time = rows_at_a_time(rows, width);
    std::vector<float> values;
    for (std::int64_t first = 0; first < rows; first += at_a_time) {
      const std::int64_t count = std::min(at_a_time, rows - first);
      values.resize(static_cast<std::size_t>(count * width));
      read_rows(tensor, first, count, values);
      part(first * width, std::span<const float>(values));
    }
  }

 private:
  void open_safetensors();
  void open_torch();
  void note_wrapper();
  void open_keras(Hdf5File opened);
  [[nodiscard]] bool open_keras_archive(const RandomAccessFile& file);
  [[nodiscard]] static std::int64_t rows_at_a_time(std::int64_t rows, std::int64_t width) noexcept;
  void read_rows(std::size_t tensor, std::int64_t first, std::int64_t count,
                 std::span<float> into) const;

  std::filesystem::path path_;
  std::variant<std::monostate, SafetensorsFile, TorchFile, Hdf5File> file_;
  std::vector<Tensor> tensors_;
  std::vector<std::string> sources_;  // what the file itself calls the tensors; not of PyTorch's
  std::vector<Layer> layers_;
  Metadata metadata_;
  std::string wrapper_;
  bool is_in_order_ = false, is_channels_first_ = false;
};

/// Whether PyTorch keeps a count under this name, beside running statistics or averaged weights.
[[nodiscard]] bool is_count_of_steps(std::string_view tensor) noexcept;

}  // namespace millrace
