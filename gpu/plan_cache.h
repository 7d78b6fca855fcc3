#pragma once
// The plans that were fastest, kept between runs in a JSON file by device, version of cuDNN,
// convolution and workspace.

#include <millrace/core/bytes.h>
#include <millrace/gpu/operations.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace millrace::gpu {

/// One file, for one device and version of cuDNN; what the file says of others is left as it is.
/// Several processes may use a file: it is replaced as a whole, and the last one that writes wins.
/// Not thread-safe.
class PlanCache {
 public:
  struct Entry {
    std::string plan;  ///< its name, see Cudnn::plans
    double microseconds = 0;
  };

  /// Reads the file, if there is one. A file that cannot be read, or is none of ours, counts as
  /// empty, and trouble() says so. An empty path: nothing is kept.
  PlanCache(std::filesystem::path file, const std::string& device, const std::string& cudnn);

  [[nodiscard]] std::optional<Entry> find(const Convolution& convolution, Bytes workspace) const;
  /// Keeps it, also in the file. A file that cannot be written is no error: trouble() says so.
  void keep(const Convolution& convolution, Bytes workspace, const Entry& entry);

  /// One line about the file, or empty.
  [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }

 private:
  void write();

  std::filesystem::path file_;
  std::string owner_;  // "NVIDIA H200, cuDNN 9.19.0"
  std::map<std::string, Entry> entries_;
  std::string trouble_;
};

}  // namespace millrace::gpu
