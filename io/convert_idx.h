#pragma once
// Converts IDX files to class folders of PNG files, for users who want to see and edit their
// data, and as a realistic load for the pipeline.

#include <millrace/io/watch.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace millrace {

struct ConvertOptions {
  /// Names of the class folders, by label; empty: "0", "1", ... A class folder is sorted by name,
  /// so other names may change the labels. "/" becomes "-".
  std::vector<std::string> classes;
  Watch watch;  ///< progress counts images of all parts
};

struct Conversion {
  std::uint64_t images = 0;   ///< in `out`
  std::uint64_t written = 0;  ///< by this call; fewer if an earlier one was interrupted
  bool was_complete = false;  ///< nothing had to be done
};

/// Writes out/train/<class>/<number>.png, and likewise out/val and out/test of the parts that there
/// are, for the IDX files that find_data(data) finds; the number is that of the sample in its IDX
/// file. A class without samples is an empty folder that ClassFolder takes for a class. The files
/// are written to out + ".partial", which is renamed at the end: `out` is complete or not there.
/// Called again, it continues where it was stopped, and does not change a complete `out` of the
/// same files. Throws Error: no IDX files in `data`, `out` holds something else, disk; Stopped.
Conversion convert_idx(const std::filesystem::path& data, const std::filesystem::path& out,
                       const ConvertOptions& options = {});

}  // namespace millrace
