#pragma once
// IDX files for tests, made from values.

#include "io/scratch.h"

#include <cstdint>
#include <initializer_list>
#include <string>

namespace millrace::test {

inline std::string idx_bytes(std::initializer_list<std::uint32_t> extents, std::string_view values,
                             char type = 8) {
  std::string bytes = {0, 0, type, static_cast<char>(extents.size())};
  for (const std::uint32_t extent : extents) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(extent >> shift);
  }
  return bytes.append(values);
}

inline void write_gzip(const std::filesystem::path& path, std::string_view bytes) {
  const gzFile file = ::gzopen(path.c_str(), "wb9");
  ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  ::gzclose(file);
}

/// Two images of 2 x 3 with values 0..11, labels 1 and 0.
inline const std::string kImages =
    idx_bytes({2, 2, 3}, std::string_view("\0\1\2\3\4\5\6\7\10\11\12\13", 12));
inline const std::string kLabels = idx_bytes({2}, std::string_view("\1\0", 2));

}  // namespace millrace::test
