#pragma once
// A folder for one test case, and small helpers for files and checksums that several tests share.

#include <millrace/core/error.h>
#include <millrace/io/files.h>

#include <unistd.h>
#include <zlib.h>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::test {

/// A fresh folder that is removed at the end of the test.
class Scratch {
 public:
  Scratch() {
    // Absolute, so that links between files of it lead somewhere.
    const auto folder = std::filesystem::absolute(MILLRACE_SCRATCH);
    std::filesystem::create_directories(folder);
    std::string pattern = (folder / "io-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw Error("no scratch folder: " + pattern);
    path_ = pattern;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }
  /// Writes a file and the folders above it.
  std::filesystem::path write(std::string_view name, std::span<const std::byte> bytes) const {
    const std::filesystem::path path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    write_file(path, bytes);
    return path;
  }
  std::filesystem::path write(std::string_view name, std::string_view text) const {
    return write(name, std::as_bytes(std::span(text)));
  }

 private:
  std::filesystem::path path_;
};

inline std::string text_of(const std::filesystem::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline std::vector<std::byte> image(std::string_view name) {
  return read_file(std::filesystem::path(MILLRACE_TEST_DATA "/io/pictures") / name);
}

inline std::uint32_t crc_of(std::span<const std::uint8_t> bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, bytes.data(), bytes.size()));
}

/// The message of the Error that `body` throws; empty if it throws none.
template <class Body>
std::string error_of(Body body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace millrace::test
