#pragma once
// The most common data set: a folder with a folder of images for each class.

#include <millrace/io/dataset.h>
#include <millrace/io/image_walk.h>
#include <millrace/io/watch.h>

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace millrace {

/// DATA/cats/1.jpg, DATA/dogs/2.jpg, ... A class is a sub-folder, in the order of their bytes; its
/// samples are the images in it and below, folder by folder in the order of their paths, files in
/// the order of their names. Which files are images, image_walk.h says: by their ending or, if
/// that is unknown, by their content. Hidden files and folders are left out. Symbolic links are
/// followed, but not round in circles. What runs put into their directories (run_marker.h) is
/// left out, and a folder that holds nothing else is not a class. What is left out is counted and
/// named. A class without images is an error, but for those that the file kEmptyClasses in DATA
/// names.
///
/// The name of a class is that of its folder; bytes of it that are not UTF-8, which no model file
/// could keep, become \xe9 or the like, with a note.
///
/// The index is one block of names and four bytes a file: 1.3 million names of 28 bytes take 40
/// MiB.
class ClassFolder final : public Dataset {
 public:
  struct Options {
    /// It goes with a data set or model that has classes already (class_names.h): one class is
    /// enough here, and class folders may be empty.
    bool is_companion = false;
    std::size_t names_left_out = LeftOut::kFewNames;  ///< to keep for each reason
    bool is_one_of_several = false;  ///< as train/ beside val/: images beside these are left out
  };

  /// A hidden file with a line for each class that has no images and is one nevertheless.
  static constexpr const char* kEmptyClasses = ".millrace-empty";

  /// Reads the folders. Throws Error: no such folder, no permission, images without class folders,
  /// fewer than two classes, a class without images, two folders of one name; Stopped if `watch`
  /// says so. A folder below a class that cannot be listed is left out.
  explicit ClassFolder(std::filesystem::path root, const Watch& watch = {})
      : ClassFolder(std::move(root), watch, Options{}) {}
  ClassFolder(std::filesystem::path root, const Watch& watch, const Options& options);

  [[nodiscard]] std::uint32_t size() const noexcept override;
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t index) const override;
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] std::string place() const override { return root_.string(); }
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return {}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;
  [[nodiscard]] std::vector<std::string> notes() const override;
  [[nodiscard]] const LeftOut& left_out() const noexcept override { return left_out_; }

 private:
  struct Folder {
    std::string path;     // below root_
    std::uint32_t first;  // its first sample; the samples of a folder follow each other
    int label;
  };
  struct ClassName {
    std::string folder;  // as the file system has it
    std::string name;
  };

  [[nodiscard]] std::vector<ClassName> list_classes();
  void check_names(const std::vector<ClassName>& folders) const;
  void add_class(const ClassName& folder, ImageWalk& walk, bool is_companion, bool is_said_empty);
  void leave_out_beside();
  void note_alike();
  void append(const std::string& folder, const std::string& listing);
  [[nodiscard]] const Folder& folder_of(std::uint32_t index) const;

  std::filesystem::path root_;
  std::vector<std::string> classes_;
  std::vector<Folder> folders_;
  std::string names_;                   // of all files, one after the other
  std::vector<std::uint32_t> offsets_;  // [size() + 1] into names_
  LeftOut left_out_;
  std::vector<std::string> notes_;
};

}  // namespace millrace
