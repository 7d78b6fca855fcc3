#pragma once
// What libFuzzer calls with bytes that it makes up, and the tests with those of corpus/NAME: each
// reads an untrusted file. An Error is an answer; another exception, a crash or a sanitizer's word
// is not.

#include <millrace/core/error.h>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

using Input = std::span<const std::byte>;

void fuzz_checkpoint(Input input);
void fuzz_csv(Input input);
void fuzz_decode(Input input);
void fuzz_hdf5(Input input);  // what the process that reads such a file answers
void fuzz_idx(Input input);
void fuzz_keras(Input input);  // .keras files, less the HDF5 in them
void fuzz_model(Input input);  // as JSON
void fuzz_orientation(Input input);
void fuzz_recipe(Input input);
void fuzz_safetensors(Input input);
void fuzz_tar(Input input);
void fuzz_torch(Input input);

/// A file that lies in memory, for what reads by a path.
class MemoryFile {
 public:
  explicit MemoryFile(Input bytes);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

 private:
  int file_;
};

inline std::string_view text_of(Input input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

/// The input with the checksums of a PNG file's parts set right, which no chance gets right.
std::vector<std::byte> with_png_checksums(Input input);
/// The input with the checksum at the end of a checkpoint set right.
std::vector<std::byte> with_checkpoint_checksum(Input input);

/// Runs `body`, which may throw Error.
template <class Body>
void survive(Body body) {
  try {
    body();
  } catch (const Error& error) {
    // An error is one line.
    if (std::string_view(error.what()).empty()) throw std::logic_error("an error without a word");
  }
}

}  // namespace millrace::test
