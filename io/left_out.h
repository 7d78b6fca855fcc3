#pragma once
// Files in the folders of a data set that are not part of it: counted by reason, a few of each
// by name, so that every file is accounted for and a million of them take no memory.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

/// Why something in a folder is not taken as an image.
enum class LeftOutReason : std::uint8_t {
  hidden,         ///< its name begins with a dot
  ending,         ///< its name ends as no image's does: .txt, .csv, .db; it was not opened
  content,        ///< its first bytes are not an image's
  format,         ///< an image of a format that is not read
  empty,          ///< a file without content
  nowhere,        ///< a link to nowhere
  circle,         ///< a link to itself or to a folder that it is in
  unreadable,     ///< a file or folder that cannot be read
  special,        ///< a device, a pipe or a socket
  beside,         ///< an image beside the class folders
  run,            ///< a run directory, with all that the run has put into it
  link,           ///< a link within an archive
  twice,          ///< a member of an archive that belongs to a sample which has another of its kind
  no_label,       ///< an image in an archive without a label
  no_image,       ///< a label in an archive without an image
  label,          ///< a label in an archive that names no class
  beside_shards,  ///< a file or folder beside tar shards
  shard_again,    ///< a shard that is the file of another one, or named like it
};

/// For JSON: "hidden", "not_an_image_by_ending", ...
[[nodiscard]] const char* key_of(LeftOutReason reason) noexcept;

/// Counts by reason, and of each the names that come first in the order of their bytes.
class LeftOut {
 public:
  static constexpr std::size_t kFewNames = 3;
  static constexpr std::size_t kAllNames = std::numeric_limits<std::size_t>::max();

  explicit LeftOut(std::size_t names = kFewNames) : most_names_(names) {}

  /// How many names are kept for each reason.
  [[nodiscard]] std::size_t names() const noexcept { return most_names_; }

  /// `what` says more: the format and what converts it, what the system said.
  void add(LeftOutReason reason, std::string_view path, const std::string& what = {});
  void add(const LeftOut& other);

  [[nodiscard]] std::uint64_t total() const noexcept;
  [[nodiscard]] std::uint64_t count(LeftOutReason reason) const noexcept;
  /// Each reason that there is, by its key.
  [[nodiscard]] std::vector<std::pair<const char*, std::uint64_t>> counts() const;
  /// Whether images may be missing: of a format that is not read, not
  /// readable, links to nowhere.
  [[nodiscard]] bool loses_images() const noexcept;

  /// "left out 3: 2 hidden (a/.x, b/.y); 1 empty (a/z)", names shown() for a terminal; empty if
  /// nothing was left out.
  [[nodiscard]] std::string summary() const;
  /// A line for each name that was kept, of one reason or all: "a/notes.txt: not an image by its
  /// ending".
  [[nodiscard]] std::vector<std::string> lines(std::optional<LeftOutReason> only = {}) const;

 private:
  struct Group {
    std::uint64_t count = 0;
    std::vector<std::string> names;  // sorted
  };
  using Key = std::pair<LeftOutReason, std::string>;
  void keep(Group& group, std::string_view name) const;
  Group& group(LeftOutReason reason, const std::string& what);

  std::size_t most_names_;
  std::map<Key, Group> groups_;
};

}  // namespace millrace
