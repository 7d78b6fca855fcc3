#pragma once
// The members of one tar shard that belong together, and what they say of a sample's class.

#include <millrace/io/detail/tar_labels.h>
#include <millrace/io/detail/tar_reader.h>
#include <millrace/io/left_out.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace::detail {

/// An image of a shard.
struct TarSample {
  std::string name;
  std::uint64_t offset = 0, length = 0;  ///< in the shard's file
  std::optional<TarLabel> label{};       ///< of its own, which tells a class
};

/// The samples of a shard.
struct TarSamples {
  std::vector<TarSample> samples;  ///< in the order of their images
  bool has_labels = false;         ///< of any sample, whether it tells a class or not
};

/// Pairs images and labels of a shard by their names (tar_shards.h). Without `needs_labels` each
/// image is a sample. `left_out` gets the rest, by names after "shard:".
[[nodiscard]] TarSamples samples_of(std::vector<TarMember> members, const RandomAccessFile& file,
                                    bool needs_labels, const std::string& shard, LeftOut& left_out);

/// The folders of a member's name, "." left out.
[[nodiscard]] std::vector<std::string> folders_of(const std::string& name);

}  // namespace millrace::detail
