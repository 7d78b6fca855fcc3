#pragma once
// Images named on a command line, without labels, as a data set that a pipeline can read.

#include <millrace/io/dataset.h>
#include <millrace/io/left_out.h>

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::apps {

/// What the PATHs of a command lead to.
struct FoundFiles {
  std::vector<std::string> files;
  std::vector<std::string> problems;  ///< a line each: patterns and folders that lead to nothing
  LeftOut left_out;                   ///< of what is in folders
};

/// Files as they are named, whatever their ending; folders as the images in them and below, sorted
/// by path, which are those of a data set (image_walk.h); patterns with * ? [ ] expanded and
/// sorted, unless a file has that very name. A file that is not there is kept: reading it will say
/// so.
[[nodiscard]] FoundFiles find_files(const std::vector<std::string>& paths);

/// The same for tables: a folder is a problem, since it is unknown which of its files are tables.
[[nodiscard]] FoundFiles find_tables(const std::vector<std::string>& paths);

/// A list of image files. There are no classes; every label is 0.
class FileList final : public Dataset {
 public:
  /// Called for an image that cannot be read, with the reason in a line; one call at a time.
  using Unreadable = std::function<void(const std::string& why)>;
  FileList(std::vector<std::string> files, Unreadable on_unreadable);

  [[nodiscard]] std::uint32_t size() const noexcept override {
    return static_cast<std::uint32_t>(files_.size());
  }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t) const override { return 0; }
  [[nodiscard]] std::string name(std::uint32_t index) const override { return files_[index]; }
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return {}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  /// Reports, then throws, if the image cannot be read.
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;

 private:
  std::vector<std::string> files_;
  std::vector<std::string> classes_;
  Unreadable on_unreadable_;
  mutable std::mutex mutex_;  // calls of on_unreadable_
};

}  // namespace millrace::apps
