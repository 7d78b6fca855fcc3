#pragma once
// HDF5 files of numbers, read by the C library in a separate process: the library is known to
// crash on damaged files, and weight files come from unknown sources. Links to other places and
// other files are not followed, and no claim of a header is used before it is checked.

#include <millrace/io/hdf5_contents.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

namespace detail {
class HelperProcess;
}

/// A file whose groups, attributes and data sets have been listed, and whose numbers are read on
/// demand.
///
/// Thread safety: none; one thread at a time.
class Hdf5File {
 public:
  using Strings = Hdf5Strings;
  using Dataset = Hdf5Dataset;
  using Group = Hdf5Group;

  /// `patience`: how long the library may take for one request. `name`: what path() and messages
  /// call the file, if it lies there as a part of another one. Throws Error naming the file: it is
  /// no HDF5 file, truncated, damaged, or one of its groups is reached twice, has a link to another
  /// place or file, or a data set of more dimensions or elements than can be or than the file
  /// holds.
  explicit Hdf5File(std::filesystem::path path,
                    std::chrono::milliseconds patience = std::chrono::minutes(1),
                    const std::filesystem::path& name = {});
  ~Hdf5File();
  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// Parents before their children; the root is first.
  [[nodiscard]] const std::vector<Group>& groups() const noexcept { return groups_; }
  [[nodiscard]] const std::vector<Dataset>& datasets() const noexcept { return datasets_; }
  /// nullptr if there is none of this path.
  [[nodiscard]] const Group* find_group(std::string_view path) const noexcept;
  [[nodiscard]] const Dataset* find_dataset(std::string_view path) const noexcept;

  /// Reads `count` rows, from the row `first` on, as float; a row is what one index of the first
  /// dimension holds, and a data set without dimensions has one. Requires: a data set of this file,
  /// rows that it has, and `into` of their size. Throws Error: the type is not a number with a
  /// fraction, or the file is damaged.
  void read_rows(const Dataset& dataset, std::int64_t first, std::int64_t count,
                 std::span<float> into) const;

 private:
  std::filesystem::path path_;
  std::unique_ptr<detail::HelperProcess> reader_;
  std::vector<Group> groups_;
  std::vector<Dataset> datasets_;
};

/// Whether a file begins as HDF5 files do. Throws Error if it cannot be read.
[[nodiscard]] bool is_hdf5(const std::filesystem::path& path);

}  // namespace millrace
