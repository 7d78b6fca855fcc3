#pragma once
// Compressed archives, whole, by libarchive.

#include <millrace/io/files.h>
#include <millrace/io/watch.h>

namespace millrace::detail {

/// Appends what a gzip file holds to `into`. Throws Error that begins with the file's path:
/// damaged, cut off, no room; Stopped.
void unpack_gzip(const RandomAccessFile& file, TemporaryFile& into, const Watch& watch);

}  // namespace millrace::detail
