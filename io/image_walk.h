#pragma once
// Which entries of folders are images: one rule for data sets and for the paths of a command line.
// Names decide, so that few files are opened; if a name does not, the content does.

#include <millrace/io/left_out.h>
#include <millrace/io/watch.h>

#include <sys/types.h>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

/// Whether a file's name ends as images do: .jpg .jpeg .jpe .jfif .png .bmp .dib .gif .ppm .pgm
/// .pnm .tga .psd .webp .tif .tiff, in any case.
[[nodiscard]] bool is_image_name(std::string_view name) noexcept;

/// What an entry of a folder is to those who look for images.
struct EntryKind {
  enum Kind : std::uint8_t { image, folder, left_out } kind = image;
  LeftOutReason reason{};  ///< if it is left out
  std::string what{};      ///< and more of that
};

/// A folder or a file, links followed. A file is an image if its name ends as images do, and left
/// out unopened if it ends as other things do (.txt .csv .db ...). Files with other endings or none
/// are opened, and their first bytes tell.
[[nodiscard]] EntryKind kind_of(const std::filesystem::directory_entry& entry,
                                const std::string& name);

/// Calls `visit` for every entry of a folder but . and .., in the order of the file system.
/// Throws Error if it cannot be listed.
void for_each_entry(const std::filesystem::path& folder,
                    const std::function<void(const std::filesystem::directory_entry&,
                                             const std::string& name)>& visit);

/// Finds the images below folders of one root. Links are followed, but not round in circles. A
/// folder that cannot be listed costs what is in it and is left out, and so is what a run has put
/// into its directory below the root (run_marker.h), which was made from data and is none.
class ImageWalk {
 public:
  /// The images right in one folder.
  struct Found {
    std::string path;     ///< below the root; empty for the root itself
    std::string listing;  ///< their names, each followed by a zero byte
  };

  /// `watch` gets the number of images found so far.
  ImageWalk(std::filesystem::path root, const Watch& watch);

  /// Folders with images, sorted by path. `left_out` gets names below the root, after `prefix`.
  /// Throws Stopped.
  [[nodiscard]] std::vector<Found> images_below(const std::string& path, LeftOut& left_out,
                                                const std::string& prefix = {});

 private:
  using Identity = std::pair<dev_t, ino_t>;
  struct Search;
  void enter(const std::string& path, Search& search);
  static Identity identity_of(const std::filesystem::path& folder);

  std::filesystem::path root_;
  const Watch& watch_;
  std::vector<Identity> above_;  // the folders that contain the current one, to detect cycles
  std::uint64_t images_ = 0;
};

}  // namespace millrace
