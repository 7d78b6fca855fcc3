#pragma once
// IDX files, the format of MNIST and Fashion-MNIST, plain or compressed with gzip.

#include <millrace/io/dataset.h>

#include <filesystem>
#include <span>

namespace millrace {

/// The content of an IDX file of unsigned bytes.
struct IdxArray {
  Shape shape;
  std::vector<std::uint8_t> values;  ///< row-major
};

/// Reads a file, decompressing it if it is gzip. The header is not trusted: memory is taken only
/// for what a file of this length can hold. Throws Error naming the file: no such file, not IDX,
/// another element type, fewer or more values than the header says, damaged gzip data.
[[nodiscard]] IdxArray read_idx(const std::filesystem::path& path);

/// The ten classes of Fashion-MNIST, in the order of its labels.
[[nodiscard]] std::vector<std::string> fashion_mnist_classes();

/// A pair of IDX files in memory: images [n][height][width] or [n][height][width][1 or 3] and
/// labels [n]. Classes are "0", "1", ... up to the largest label unless names are given.
class IdxDataset final : public Dataset {
 public:
  /// Throws Error as read_idx(), and if the files do not fit each other or a label has no name.
  IdxDataset(std::filesystem::path images, const std::filesystem::path& labels,
             std::vector<std::string> classes = {});

  [[nodiscard]] std::uint32_t size() const noexcept override {
    return static_cast<std::uint32_t>(labels_.size());
  }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override;
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] std::string place() const override { return file_; }
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return shape_; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;
  /// The pixels of a sample, [height][width][channels].
  [[nodiscard]] std::span<const std::uint8_t> pixels(std::uint32_t index) const;

 private:
  std::string file_;
  Shape shape_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::uint8_t> labels_;
  std::vector<std::string> classes_;
};

}  // namespace millrace
