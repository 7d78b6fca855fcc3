#pragma once
// The format of a weight file, and files that are mistaken for weights, each with what to do: all
// are recognised by their first bytes.

#include <millrace/io/files.h>

#include <cstdint>

namespace millrace::detail {

enum class WeightForm : std::uint8_t { safetensors, hdf5, zip, pickle };

/// What the file begins as. Safetensors: also all that is none of the others. Throws Error if it
/// cannot be read.
[[nodiscard]] WeightForm form_of(const RandomAccessFile& file);

/// Throws Error naming the file unless it may be safetensors: it is a page of a web server, a
/// pointer of Git LFS, a zip archive, a pickle, HDF5, or any other text.
void check_weight_kind(const RandomAccessFile& file);

}  // namespace millrace::detail
