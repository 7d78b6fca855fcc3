#pragma once
// The compressed size of a file: only there does pruning show.

#include <millrace/core/bytes.h>

#include <filesystem>

namespace millrace {

/// The size of the file in gzip's format, without a name, as zlib compresses it at level 6; the
/// program gzip can differ by a percent. Nothing is written, and memory is that of the compressor,
/// whatever the file's size. Throws Error naming the file.
[[nodiscard]] Bytes gzip_size(const std::filesystem::path& path);

}  // namespace millrace
