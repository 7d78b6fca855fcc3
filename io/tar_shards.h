#pragma once
// Labelled images in tar archives, as WebDataset has them: shards of some hundred megabytes, which
// copy and read faster than millions of files.

#include <millrace/io/dataset.h>
#include <millrace/io/watch.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

class RandomAccessFile;

/// Whether a file is meant as a shard, by the ending of its name: .tar, .tar.gz or .tgz, in any
/// case. Those of other compressors (.tar.zst, .txz, ...) too: opening such a shard is an error
/// that says what unpacks it.
[[nodiscard]] bool is_shard_name(std::string_view name);

/// The shards that a pattern names, in its order: shard-{000..012}.tar, {a,b}.tar, and with * ? [ ]
/// those that are there. Each is named once, and `left_out` gets those that are there again: under
/// another name, or compressed. Empty where the text is no pattern, or one of other files too.
/// Throws UsageError for one that names more than a million.
[[nodiscard]] std::vector<std::filesystem::path> shards_matching(const std::string& pattern,
                                                                 LeftOut& left_out);
/// The same, without those.
[[nodiscard]] std::vector<std::filesystem::path> shards_matching(const std::string& pattern);

/// Members of a sample have one name up to the last dot: 000123.jpg, an image by its ending
/// (is_image_name()), and 000123.cls, a text with the number or the name of its class, or
/// 000123.json, an object with that as its member "cls" or "label"; .cls comes before .json, "cls"
/// before "label". Where no sample of the shards has such a label, its class is the first folder of
/// its name after those that all have: cats/1.jpg. Samples are in the order of the shards, and of
/// their images therein.
///
/// Numbers count from 0; the classes are then called as in the text classnames.txt beside the
/// shards (a name a line, as CLIP benchmark's data sets have it; for shards in train/, val/ or the
/// like it may lie beside that folder), else "0", "1", ... up to the largest. Shards of several
/// folders have the names of their own folder each: classes are in the order of the first one's,
/// and those that only others have follow. Names are classes in the order of their bytes.
///
/// Opening reads the headers of all members and keeps where their images lie. A shard that is
/// compressed (by gzip) is unpacked into a temporary file first, as a note says, and its checksums
/// are compared. What is no part of a sample, or of one that is not clear, is left out and counted:
/// images without labels and the other way round, names that are there twice, links, hidden and
/// sparse members. Of a damaged shard that is not refused (Options::skips_damage) only samples
/// before the damage are taken; of a compressed one whose checksum is wrong, none of what it is of.
///
/// Each sample takes 24 bytes and its name.
class TarShards final : public Dataset {
 public:
  struct Options {
    bool needs_labels = true;   ///< false: all images are samples, and there are no classes
    bool skips_damage = false;  ///< of a damaged shard only what cannot be read is left out
    std::size_t names_left_out = LeftOut::kFewNames;  ///< to keep for each reason
    LeftOut beside{};  ///< what was left out when the shards were found
  };

  /// `place` names them all in messages. Throws Error with the shard: it cannot be read, is no tar
  /// archive or a damaged one, ends early; there are no samples; classes are numbers and names, or
  /// one has no line in classnames.txt, or only some folders have such a file; no room for what is
  /// unpacked. Stopped if `watch` says so.
  TarShards(std::filesystem::path place, std::vector<std::filesystem::path> shards,
            const Watch& watch, const Options& options);
  ~TarShards() override;

  [[nodiscard]] std::uint32_t size() const noexcept override;
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return classes_;
  }
  /// 0 where labels are not needed.
  [[nodiscard]] int label(std::uint32_t index) const override;
  /// "shards/train-000.tar:000123.jpg".
  [[nodiscard]] std::string name(std::uint32_t index) const override;
  [[nodiscard]] std::string place() const override { return place_.string(); }
  [[nodiscard]] Bytes index_bytes() const noexcept override;
  [[nodiscard]] Shape natural_shape() const override { return {}; }
  [[nodiscard]] DType dtype() const noexcept override { return DType::u8; }
  void load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const override;
  [[nodiscard]] ImageInfo info(std::uint32_t index, Decoder& decoder) const override;
  [[nodiscard]] std::optional<FileStart> read_start(std::uint32_t index,
                                                    std::span<std::byte> into) const override;
  [[nodiscard]] std::span<const std::uint32_t> shards() const noexcept override { return firsts_; }
  [[nodiscard]] std::vector<std::string> notes() const override;
  [[nodiscard]] const LeftOut& left_out() const noexcept override { return left_out_; }

 private:
  class Builder;
  struct Shard {
    std::filesystem::path path;
    std::shared_ptr<const RandomAccessFile> file;  // null: opened for each sample
    std::uint64_t size = 0;                        // of that file when it was indexed
  };
  struct Sample {
    std::uint64_t offset = 0, length = 0;  // in the shard's file
    std::uint32_t name_end = 0;            // in names_
    std::int32_t label = 0;
  };
  void set_labels(const std::vector<std::int32_t>& labels);
  /// Calls use(FilePart) of a sample.
  template <class Use>
  auto with_part(std::uint32_t index, Use use) const;
  [[nodiscard]] const Shard& shard_of(std::uint32_t index) const;

  std::filesystem::path place_;
  std::vector<Shard> shards_;          // those with samples
  std::vector<std::uint32_t> firsts_;  // their first samples
  std::vector<Sample> samples_;
  std::string names_;  // of all members, one after the other
  std::vector<std::string> classes_;
  std::vector<std::string> notes_;
  LeftOut left_out_;
};

}  // namespace millrace
