// A folder PHOTOS with two classes that are easily told apart.

#include <millrace/io/files.h>
#include <millrace/io/png.h>

#include <filesystem>
#include <string>
#include <vector>

using namespace millrace;

int main() {
  constexpr int kSide = 48;
  for (const auto& [name, value] : {std::pair("cats", 10), std::pair("dogs", 200)}) {
    const std::filesystem::path folder = std::filesystem::path("PHOTOS") / name;
    std::filesystem::create_directories(folder);
    for (int i = 0; i < 20; ++i) {
      const std::vector<std::uint8_t> pixels(kSide * kSide * 3,
                                             static_cast<std::uint8_t>(value + i));
      write_file(folder / (std::to_string(i) + ".png"),
                 encode_png({pixels.data(), kSide, kSide, 3}));
    }
  }
  return 0;
}
