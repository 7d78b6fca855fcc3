#pragma once
// Which files are tar shards, each of them once, and what lies beside them.

#include <millrace/io/left_out.h>

#include <filesystem>
#include <vector>

namespace millrace {

/// The same paths in their order, but of shards that are one file (a name twice, a link) the first
/// alone, and of those in a folder that are named alike but for their compression (0.tar, 0.tgz)
/// the one that is read fastest. `left_out` gets the others. Other files stay.
[[nodiscard]] std::vector<std::filesystem::path> each_shard_once(
    const std::vector<std::filesystem::path>& paths, LeftOut& left_out);

/// The shards right in a folder, each once, by name. Where there are any, `left_out` gets what else
/// is there: all but hidden names, classnames.txt, and empty folders. Throws Error if the folder
/// cannot be listed.
[[nodiscard]] std::vector<std::filesystem::path> shards_in(const std::filesystem::path& folder,
                                                           LeftOut& left_out);
/// The same, without what else there is.
[[nodiscard]] std::vector<std::filesystem::path> shards_in(const std::filesystem::path& folder);

/// What is beside shards, or beside the folders of a data set's parts.
void leave_beside(const std::filesystem::path& path, LeftOut& left_out);

}  // namespace millrace
