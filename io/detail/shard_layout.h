#pragma once
// Which tar shards of a folder are which part of a data set.

#include <millrace/io/data_layout.h>
#include <millrace/io/detail/data_parts.h>

#include <filesystem>
#include <optional>
#include <vector>

namespace millrace::detail {

/// The layout of a folder with shards: in train/ and other parts, or right in it, where their names
/// may tell parts (train-000.tar, imagenet-val-01.tar). Nothing where there are none, and where
/// there are images in `folders`, its sub-folders, so that these are classes and the archives may
/// hold the same. Throws Error where it is not clear which is which, or where shards would be left
/// out; what else is beside the shards is left out of the part to train on.
[[nodiscard]] std::optional<DataLayout> shard_layout(const std::filesystem::path& folder,
                                                     const FolderParts& folders);

/// The layout of the shards that a pattern names, which are one part; with a note where their names
/// tell several.
[[nodiscard]] DataLayout pattern_layout(const std::filesystem::path& pattern,
                                        std::vector<std::filesystem::path> shards,
                                        LeftOut left_out);

}  // namespace millrace::detail
