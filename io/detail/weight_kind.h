#pragma once
// Files that people take for weights and that are none, or none that is read here: told by their
// first bytes, each with what to do.

#include <millrace/io/files.h>

namespace millrace::detail {

/// Throws Error naming the file unless it may be safetensors: it is a page of a web server, a
/// pointer of Git LFS, a zip archive, a pickle, HDF5, or any other text.
void check_weight_kind(const RandomAccessFile& file);

}  // namespace millrace::detail
