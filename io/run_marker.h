#pragma once
// What run directories are known by, so that data sets which hold some do not take them for data.

#include <filesystem>

namespace millrace {

/// A hidden file in each of them, from its first moment on: who writes a run holds its lock.
inline constexpr const char* kRunMarker = ".millrace-run";

/// Whether the folder is a run directory, by what it holds: that file, or a config.ini that begins
/// as `millrace train` begins it, which is all that runs of older programs have. False where that
/// cannot be found out.
[[nodiscard]] bool is_run_directory(const std::filesystem::path& folder);

/// With which line a config.ini begins.
inline constexpr const char* kConfigStart = "# Run this again with: millrace train --recipe ";

}  // namespace millrace
