#pragma once
// The classes of tar shards: of all that their samples say, told apart once all are known.

#include <millrace/io/detail/tar_samples.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace millrace::detail {

/// Where the names of classes that are numbers are, for the samples from one on.
struct NamesFile {
  std::size_t first = 0;
  std::filesystem::path path;  ///< there or not
};

/// Collects what samples say of their classes.
class TarClasses {
 public:
  /// Of the next sample.
  void add(const TarSample& sample);

  struct Result {
    std::vector<std::int32_t> labels;  ///< of each sample; -1: it has none and is left out
    std::vector<std::string> classes;
    std::vector<std::string> notes;
  };
  /// By labels if any sample `has_labels`, else by folders. `place` begins messages; `names` are
  /// looked at if classes are numbers, each for its samples: those of all or of none are there.
  /// Throws Error.
  [[nodiscard]] Result result(bool has_labels, const std::filesystem::path& place,
                              std::span<const NamesFile> names) const;

 private:
  [[nodiscard]] Result by_labels(const std::filesystem::path& place,
                                 std::span<const NamesFile> names) const;
  [[nodiscard]] Result by_names() const;
  [[nodiscard]] Result by_numbers(const std::filesystem::path& place,
                                  std::span<const NamesFile> names) const;
  [[nodiscard]] Result by_folders(const std::filesystem::path& place) const;

  /// Of a sample: a number, or kNames - i of the i-th name, or nothing.
  static constexpr std::int32_t kNothing = -1, kNames = -2;
  std::vector<std::int32_t> labels_;
  std::map<std::string, std::int32_t> names_;  // to their order of appearance
  std::vector<std::int32_t> folders_of_;       // of samples without labels, in folders_
  std::map<std::vector<std::string>, std::int32_t> folders_;
};

}  // namespace millrace::detail
