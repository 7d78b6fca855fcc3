#pragma once
// A .keras file: a zip archive with the model's description and its weights in HDF5.

#include <millrace/io/files.h>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>

namespace millrace::detail {

/// A file in temporary_folder() which is removed with this object. It has a name, unlike
/// TemporaryFile: HDF5 asks for the real path of what it opens.
class TemporaryCopy {
 public:
  TemporaryCopy();  ///< throws Error naming the folder
  ~TemporaryCopy();
  TemporaryCopy(const TemporaryCopy&) = delete;
  TemporaryCopy& operator=(const TemporaryCopy&) = delete;

  void append(std::span<const std::byte> bytes);  ///< throws Error (a full disk)
  void close();                                   ///< all is written; throws Error
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
};

struct KerasArchive {
  std::unique_ptr<TemporaryCopy> weights;  ///< model.weights.h5; null: it is another archive
  bool is_channels_first = false;          ///< the description says that images are
};

/// Throws Error, without the name of the file: it ends early, or a member is damaged or compressed.
[[nodiscard]] KerasArchive open_keras_archive(const RandomAccessFile& file);

}  // namespace millrace::detail
