#pragma once
// Images named on a command line, without labels, as a data set that a pipeline can read.

#include <millrace/io/dataset.h>
#include <millrace/io/left_out.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::apps {

/// What the PATHs of a command lead to.
struct FoundFiles {
  std::vector<std::string> files;
  /// The images of those that are tar shards, by place in `files`.
  std::map<std::size_t, std::shared_ptr<const Dataset>> shards{};
  std::vector<std::string> problems;  ///< a line each: patterns and folders that lead to nothing
  LeftOut left_out;                   ///< of what is in folders
};

/// Files as they are named, whatever their ending; folders as the images in them and below, sorted
/// by path, which are those of a data set (image_walk.h); patterns with * ? [ ] expanded and
/// sorted, unless a file has that very name. A file that is not there is kept: reading it will say
/// so. Tar shards (tar_shards.h), by their names, also of a folder without images, are opened, and
/// stand for all images in them; of a folder or pattern each is taken once.
[[nodiscard]] FoundFiles find_files(const std::vector<std::string>& paths);

/// The same for tables: a folder is a problem, since it is unknown which of its files are tables.
[[nodiscard]] FoundFiles find_tables(const std::vector<std::string>& paths);

/// A list of image files and of images in shards. There are no classes; every label is 0.
class FileList final : public Dataset {
 public:
  /// Called for an image that cannot be read, with the reason in a line; one call at a time.
  using Unreadable = std::function<void(const std::string& why)>;
  FileList(FoundFiles found, Unreadable on_unreadable);

  [[nodiscard]] std::uint32_t size() const noexcept override {
    return static_cast<std::uint32_t>(samples_.size());
  }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  [[nodiscard]] int label(std::uint32_t) const override { return 0; }
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return {}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  /// Reports, then throws, if the image cannot be read.
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;

 private:
  struct Sample {
    std::uint32_t file = 0;      // in files_
    std::uint32_t in_shard = 0;  // where that is a shard
  };
  [[nodiscard]] const Dataset* shard_of(const Sample& sample) const;

  std::vector<std::string> files_;
  std::map<std::size_t, std::shared_ptr<const Dataset>> shards_;  // by place in files_
  std::vector<Sample> samples_;
  std::vector<std::string> classes_;
  Unreadable on_unreadable_;
  mutable std::mutex mutex_;  // calls of on_unreadable_
};

}  // namespace millrace::apps
