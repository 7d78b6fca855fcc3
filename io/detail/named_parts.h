#pragma once
// What data sets of parts have in common, whatever the parts are.

#include <millrace/io/data_layout.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::detail {

[[nodiscard]] bool is_folder(const std::filesystem::path& path);
[[nodiscard]] bool is_file(const std::filesystem::path& path);
/// Of a folder too: its last part.
[[nodiscard]] std::string last_name(const std::filesystem::path& path);

/// What is in a folder and not hidden, by name. Throws Error if it cannot be listed.
[[nodiscard]] std::vector<std::filesystem::path> entries_of(const std::filesystem::path& folder);

/// Throws Error: `other` would be left out, since `train` beside it is a part.
[[noreturn]] void fail_beside(const std::filesystem::path& other,
                              const std::filesystem::path& train);

/// A layout from parts, each of them once; nothing where none is to train on. `named` are pairs of
/// what a part is and where. Throws Error where one is there twice.
[[nodiscard]] std::optional<DataLayout> layout_of(
    DataKind kind, const std::vector<std::pair<PartKind, DataPart>>& named);

}  // namespace millrace::detail
