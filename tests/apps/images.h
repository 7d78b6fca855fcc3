#pragma once
// Tiny data sets of images that are easy to tell apart: a class is a brightness.

#include <millrace/io/files.h>
#include <millrace/io/png.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace millrace::test {

/// A grey image as an RGB PNG file, with a texture that depends on `variant`.
inline void write_image(const std::filesystem::path& path, int brightness, int variant,
                        int size = 16) {
  constexpr int kTexture = 16;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(size) * static_cast<std::size_t>(size) *
                                   3);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const int texture = static_cast<int>(i * 7 + static_cast<std::size_t>(variant) * 13) % kTexture;
    pixels[i] = static_cast<std::uint8_t>(brightness + texture);
  }
  std::filesystem::create_directories(path.parent_path());
  write_file(path, encode_png({pixels.data(), size, size, 3}));
}

/// ROOT/CLASS/0.png, 1.png, ...: class i of n has the brightness 20 + 200 * i / (n - 1).
inline std::filesystem::path write_classes(const std::filesystem::path& root,
                                           const std::vector<std::string>& classes, int images_each,
                                           int size = 16) {
  const int steps = classes.size() > 1 ? static_cast<int>(classes.size()) - 1 : 1;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    for (int i = 0; i < images_each; ++i) {
      write_image(root / classes[label] / (std::to_string(i) + ".png"),
                  20 + 200 * static_cast<int>(label) / steps, i, size);
    }
  }
  return root;
}

}  // namespace millrace::test
