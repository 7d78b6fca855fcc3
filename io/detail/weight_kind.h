#pragma once
// Files that are mistaken for weights, or that hold weights in a format that is not read:
// recognised by their first bytes, each with what to do.

#include <millrace/io/files.h>

namespace millrace::detail {

/// Throws Error naming the file unless it may be safetensors: it is a page of a web server, a
/// pointer of Git LFS, a zip archive, a pickle, HDF5, or any other text.
void check_weight_kind(const RandomAccessFile& file);

}  // namespace millrace::detail
