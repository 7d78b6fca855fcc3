#pragma once
// IDX files for tests, made from values.

#include "io/scratch.h"

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

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

/// The two files of an IDX part: an image of 8 x 8 for each label, with its own pixel set.
inline void write_idx(const std::filesystem::path& folder, const std::string& part,
                      const std::vector<int>& labels) {
  std::string pixels, values;
  for (const int label : labels) {
    std::string image(64, '\0');
    image[static_cast<std::size_t>(label) * 5 % 64] = '\xff';
    pixels += image;
    values += static_cast<char>(label);
  }
  const auto count = static_cast<std::uint32_t>(labels.size());
  std::filesystem::create_directories(folder);
  const auto write = [&](const std::string& name, const std::string& bytes) {
    write_file(folder / (part + name), std::as_bytes(std::span(bytes)));
  };
  write("-images-idx3-ubyte", idx_bytes({count, 8, 8}, pixels));
  write("-labels-idx1-ubyte", idx_bytes({count}, values));
}

/// `count` labels: 0, 1, ..., classes - 1 and so on.
inline std::vector<int> labels_in_turn(int count, int classes) {
  std::vector<int> labels;
  for (int i = 0; i < count; ++i) labels.push_back(i % classes);
  return labels;
}

/// Two images of 2 x 3 with values 0..11, labels 1 and 0.
inline const std::string kImages =
    idx_bytes({2, 2, 3}, std::string_view("\0\1\2\3\4\5\6\7\10\11\12\13", 12));
inline const std::string kLabels = idx_bytes({2}, std::string_view("\1\0", 2));

}  // namespace millrace::test
