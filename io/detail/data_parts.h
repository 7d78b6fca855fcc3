#pragma once
// The parts of a data set, found by the names in its folder.

#include <millrace/io/data_layout.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace millrace::detail {

/// Sub-folders of a folder that may be parts of a data set.
class FolderParts {
 public:
  /// Throws Error if the folder cannot be listed.
  explicit FolderParts(std::filesystem::path data);

  /// The layout, where the sub-folders are parts: there is one to train on with folders in it, and
  /// another part or nothing else. Throws Error: something with images beside the parts, a part
  /// that is there twice, one with images right in it.
  [[nodiscard]] std::optional<DataLayout> layout() const;
  /// Where they are not: throws Error for train/ beside val/ or the like with images right in them,
  /// since nobody has such classes.
  void check_classes() const;
  /// Whether there are images in any of them.
  [[nodiscard]] bool hold_images() const;
  /// What the user should know where they are classes.
  [[nodiscard]] std::vector<std::string> notes() const;

 private:
  struct Folder {
    std::filesystem::path path;
    std::optional<PartKind> kind;
    bool has_folders = false;
  };
  [[nodiscard]] bool holds_images(const Folder& folder) const;
  [[nodiscard]] const Folder* training_with_classes() const;

  std::filesystem::path data_;
  std::vector<Folder> folders_;  // by name
};

/// The pair of IDX files that a file of images belongs to; nothing if it is not called like one.
/// Throws Error if its labels are missing.
[[nodiscard]] std::optional<DataPart> idx_pair(const std::filesystem::path& images);

/// The layout of a folder with pairs of IDX files. Throws Error if it is not clear which is
/// which.
[[nodiscard]] std::optional<DataLayout> idx_layout(const std::filesystem::path& folder);

/// Whether a file is a table, by the ending of its name: .csv in any case.
[[nodiscard]] bool is_table_name(const std::filesystem::path& file);

/// The layout of a folder with train.csv. Throws Error likewise.
[[nodiscard]] std::optional<DataLayout> table_layout(const std::filesystem::path& folder);

}  // namespace millrace::detail
