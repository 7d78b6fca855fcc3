#pragma once
// Marks run directories, so that a data set that contains some does not take them for data.

#include <array>
#include <filesystem>
#include <string_view>

namespace millrace {

/// A file in each of them, from its first moment on: who writes a run holds its lock.
inline constexpr const char* kRunMarker = "millrace.lock";

/// Whether the folder is a run directory, by what it holds: that file, or a config.ini that begins
/// as `millrace train` begins it, which is all that runs of older programs have. False if that
/// cannot be found out.
[[nodiscard]] bool is_run_directory(const std::filesystem::path& folder);

/// With which line a config.ini begins.
inline constexpr const char* kConfigStart = "# Run this again with: millrace train --recipe ";

/// What else a run puts there.
inline constexpr std::array<const char*, 10> kRunFiles = {
    "config.ini", "metrics.csv",   "model.safetensors", "best.safetensors", "report.json",
    "trace.json", "augmented.png", "algorithms.json",   "data.json",        "features.safetensors"};
inline constexpr std::array<const char*, 2> kRunFolders = {"checkpoints", "events"};

/// Whether something of this name is the run's, in a run directory.
[[nodiscard]] bool is_part_of_run(std::string_view name);

}  // namespace millrace
