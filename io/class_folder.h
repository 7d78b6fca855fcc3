#pragma once
// The commonest data set: a folder with a folder of pictures for each class.

#include <millrace/io/dataset.h>
#include <millrace/io/watch.h>

#include <filesystem>
#include <string_view>

namespace millrace {

/// Whether a file's name ends as pictures do: .jpg .jpeg .png .bmp .gif .ppm .pgm .pnm .tga .psd
/// .tif .tiff .webp, in any case.
[[nodiscard]] bool is_picture_name(std::string_view name) noexcept;

/// DATA/cats/1.jpg, DATA/dogs/2.jpg, ... A class is a sub-folder, in the order of their bytes; its
/// samples are the pictures in it and below, folder by folder in the order of their paths, files in
/// the order of their names. Pictures are files that end in .jpg .jpeg .png .bmp .gif .ppm .pgm
/// .pnm .tga .psd .tif .tiff or .webp in any case. Hidden files and folders are ignored. Symbolic
/// links are followed, but not round in circles.
///
/// The index is one block of names and four bytes a file: 1.3 million names of 28 bytes take 40
/// MiB.
class ClassFolder final : public Dataset {
 public:
  /// Reads the folders. Throws Error: no such folder, no permission, pictures without class
  /// folders, fewer than two classes, a class without pictures; Stopped if `watch` says so.
  explicit ClassFolder(std::filesystem::path root, const Watch& watch = {});

  [[nodiscard]] std::uint32_t size() const noexcept override;
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override;
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return {}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;
  [[nodiscard]] std::vector<std::string> notes() const override { return notes_; }

 private:
  struct Folder {
    std::string path;     // below root_
    std::uint32_t first;  // its first sample; the samples of a folder follow each other
    int label;
  };
  struct Walk;

  void add_class(const std::string& class_name, Walk& walk);
  void append(const std::string& folder, const std::string& listing);
  [[nodiscard]] const Folder& folder_of(std::uint32_t index) const;

  std::filesystem::path root_;
  std::vector<std::string> classes_;
  std::vector<Folder> folders_;
  std::string names_;                   // of all files, one after the other
  std::vector<std::uint32_t> offsets_;  // [size() + 1] into names_
  std::vector<std::string> notes_;
};

}  // namespace millrace
