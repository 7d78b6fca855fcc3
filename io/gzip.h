#pragma once
// How small a file becomes: what pruning saves shows only in compressed files.

#include <millrace/core/bytes.h>

#include <filesystem>

namespace millrace {

/// The size that the file would have after `gzip -n` (level 6). Nothing is written, and memory is
/// that of the compressor, whatever the file's size. Throws Error naming the file.
[[nodiscard]] Bytes gzip_size(const std::filesystem::path& path);

}  // namespace millrace
