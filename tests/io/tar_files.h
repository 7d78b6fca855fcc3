#pragma once
// Tar shards of tests: packed here, and what is read of them.

#include "catch.h"

#include <millrace/io/decode.h>
#include <millrace/io/detail/tar_writer.h>
#include <millrace/io/find_data.h>
#include <millrace/io/tar_shards.h>

#include "io/scratch.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

using Members = std::vector<std::pair<std::string, std::string>>;  ///< names and contents

/// A grey image of 2x2 pixels, all of one value.
inline std::string grey_image(int value) {
  return "P5 2 2 255\n" + std::string(4, static_cast<char>(value));
}

inline std::filesystem::path write_tar(const std::filesystem::path& path, const Members& members) {
  std::filesystem::create_directories(path.parent_path());
  detail::TarWriter tar(path);
  for (const auto& [name, content] : members) {
    tar.add(name, std::as_bytes(std::span(content)));
  }
  tar.finish();
  return path;
}

/// Samples 0 to count - 1 of alternating classes, as images of `first` + 0, 1, ...
inline Members two_classes(int count, int first = 0) {
  Members members;
  for (int i = 0; i < count; ++i) {
    members.emplace_back(std::to_string(i) + ".pgm", grey_image(first + i));
    members.emplace_back(std::to_string(i) + ".cls", std::to_string(i % 2));
  }
  return members;
}

inline TarShards open_shards(std::vector<std::filesystem::path> shards,
                             const TarShards::Options& options = {}) {
  const std::filesystem::path place = shards.front();
  return TarShards(place, std::move(shards), Watch{}, options);
}

/// What is said of a file instead of samples, less the folder.
inline std::string refusal(const Scratch& scratch, const std::filesystem::path& shard) {
  std::string error = error_of([&] { open_shards({shard}); });
  const std::string folder = scratch.path().string() + '/';
  for (std::size_t at = 0; (at = error.find(folder)) != std::string::npos;) {
    error.erase(at, folder.size());
  }
  CHECK(error.find('\n') == std::string::npos);
  return error;
}

/// As gzip writes it.
inline std::string compressed(const std::string& bytes) {
  const Scratch scratch;
  const gzFile file = ::gzopen((scratch / "some.gz").c_str(), "wb");
  ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  ::gzclose(file);
  return text_of(scratch / "some.gz");
}

/// The value of the first pixel.
inline int pixel(const Dataset& data, std::uint32_t index) {
  std::array<std::byte, 4> pixels{};
  Decoder decoder;
  data.load(index, TensorView(pixels.data(), {2, 2, 1}, DType::u8), Filter::nearest, decoder);
  return std::to_integer<int>(pixels[0]);
}

/// "name class pixel" of each sample, names without the shard.
inline std::vector<std::string> contents(const Dataset& data) {
  std::vector<std::string> all;
  for (std::uint32_t i = 0; i < data.size(); ++i) {
    const std::string name = data.name(i);
    const std::size_t end = std::min(name.find(".tar:"), name.find(".tgz:"));
    all.push_back(concat(name.substr(end + 5), ' ',
                         data.classes().at(static_cast<std::size_t>(data.label(i))), ' ',
                         pixel(data, i)));
  }
  return all;
}

}  // namespace millrace::test
