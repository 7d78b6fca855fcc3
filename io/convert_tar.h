#pragma once
// Packs class folders into tar shards (tar_shards.h), shuffled for training.

#include <millrace/core/bytes.h>
#include <millrace/io/watch.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

/// How much goes into one shard.
struct ShardSize {
  std::optional<std::uint64_t> samples{};  ///< so many
  /// Else files of at most this, unless one sample takes more; an archive takes 10 KiB or more.
  Bytes bytes{256_MiB};
};

struct ConvertTarOptions {
  ShardSize size{};
  bool shuffle = true;  ///< samples are packed in random order, by the seed alone
  std::uint64_t seed = 1;
  bool skips_unreadable = false;  ///< files that are no images are left out; else they are an error
  Watch watch{};                  ///< progress counts images of all parts
};

struct TarConversion {
  std::uint64_t images = 0, shards = 0;
  std::uint64_t left_out = 0;        ///< files that are no images, by their headers
  std::vector<std::string> notes{};  ///< what was left out of the class folders, and the like
};

/// Writes out/train-000000.tar, -000001.tar, ... and likewise val-... and test-... of the parts
/// that find_data(data) finds, or shard-000000.tar, ... where there are none: of each image its
/// file as it is, 000000123.jpg, and 000000123.cls with the number of its class, whose name is in
/// out/classnames.txt. The same data and options give the same bytes.
///
/// The shards are written to out + ".partial", which is renamed at the end: `out` is complete or
/// not there. What an interrupted call leaves there is replaced by the next one. Throws Error:
/// `data` are no class folders, `out` holds something, a file cannot be read or its header is not
/// that of an image that Millrace decodes, disk; Stopped, after which nothing is left.
TarConversion convert_tar(const std::filesystem::path& data, const std::filesystem::path& out,
                          const ConvertTarOptions& options = {});

}  // namespace millrace
