#pragma once
// Calls of the HDF5 C library, in the process that hdf5.cpp starts for it. Error messages do not
// name the file.

#include <millrace/io/hdf5_contents.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace millrace::detail {

/// An open file.
class Hdf5Library {
 public:
  /// Throws Error.
  explicit Hdf5Library(const std::filesystem::path& path);
  ~Hdf5Library();
  Hdf5Library(const Hdf5Library&) = delete;
  Hdf5Library& operator=(const Hdf5Library&) = delete;

  [[nodiscard]] Hdf5Contents list() const;
  void read_rows(const std::string& dataset, std::int64_t first, std::int64_t count,
                 std::span<float> into) const;

 private:
  std::int64_t file_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace millrace::detail
