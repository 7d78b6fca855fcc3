#pragma once
// Labelled samples that are loaded by index: what readers, pipelines and splits see of class
// folders, IDX and CSV files, and of any data set of a user.

#include <millrace/core/bytes.h>
#include <millrace/core/shape.h>
#include <millrace/core/table_form.h>
#include <millrace/image/filter.h>
#include <millrace/io/left_out.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace {

class Decoder;
struct ImageInfo;

/// What was read of a file.
struct FileStart {
  std::size_t read = 0;
  std::uint64_t length = 0;  ///< of the whole file
};

/// An indexed, labelled data set. Constant after construction.
///
/// Thread safety: all members may be called by many threads at once, load() with one Decoder each.
class Dataset {
 public:
  Dataset() = default;
  virtual ~Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;

  [[nodiscard]] virtual std::uint32_t size() const noexcept = 0;
  /// Names of the classes; a label is an index into them. Empty where there are none, as where
  /// there are targets.
  [[nodiscard]] virtual const std::vector<std::string>& classes() const noexcept = 0;
  /// The class of a sample, in [0, classes().size()). Requires: index < size(), here and below.
  /// Where there are targets, nobody asks.
  [[nodiscard]] virtual int label(std::uint32_t index) const = 0;
  /// Names of the numbers that a model is to give for a sample: quantities, or several labels, each
  /// 0 or 1. Empty where a class says what samples are.
  [[nodiscard]] virtual const std::vector<std::string>& targets() const noexcept;
  /// Writes them, targets().size() of them; NaN is one that is not known.
  virtual void target(std::uint32_t index, std::span<float> values) const;
  /// For messages: "data/cats/1.jpg", "train-images-idx3-ubyte.gz #17".
  [[nodiscard]] virtual std::string name(std::uint32_t index) const = 0;
  /// For messages: what holds the samples, "data/train"; empty if they are in no file.
  [[nodiscard]] virtual std::string place() const { return {}; }
  /// Memory that the index, or the data where they are in memory, really takes.
  [[nodiscard]] virtual Bytes index_bytes() const noexcept = 0;
  /// {height, width, channels} or {features} if all samples have them; rank 0 for photographs.
  [[nodiscard]] virtual Shape natural_shape() const = 0;
  /// u8 for pixels, f32 for features.
  [[nodiscard]] virtual DType dtype() const noexcept = 0;
  /// Writes one sample into `target`: pixels, converted and resized to {height, width, 1 or 3}, or
  /// features, as many as the target has. Throws Error that names the sample.
  virtual void load(std::uint32_t index, TensorView target, Filter filter,
                    Decoder& decoder) const = 0;
  /// Of photographs (natural_shape() of rank 0): what a sample's header says. Here that of the file
  /// name(index). Throws Error that names the sample.
  [[nodiscard]] virtual ImageInfo info(std::uint32_t index, Decoder& decoder) const;
  /// Of photographs: reads the first bytes of a sample as it is stored. Here those of the file
  /// name(index); nothing of what is no regular file, and no bytes of one that cannot be read.
  [[nodiscard]] virtual std::optional<FileStart> read_start(std::uint32_t index,
                                                            std::span<std::byte> into) const;
  /// The first sample of each shard, in their order, if samples lie one after the other in
  /// shards, so that it is best to read them shard by shard; else empty.
  [[nodiscard]] virtual std::span<const std::uint32_t> shards() const noexcept { return {}; }
  /// How the table is laid out that the samples are rows of; null where they are not.
  [[nodiscard]] virtual const TableForm* table() const noexcept { return nullptr; }
  /// What the user should know, a line each, as a terminal may show it: here class_notes(). Where
  /// something was left out, the last one sums up left_out().
  [[nodiscard]] virtual std::vector<std::string> notes() const { return class_notes(); }
  /// Which classes have no samples: a line each, or one for more than a few. Looks at all labels.
  [[nodiscard]] std::vector<std::string> class_notes() const;
  /// What was met and is no sample.
  [[nodiscard]] virtual const LeftOut& left_out() const noexcept;
};

/// How many samples a data set has of each of its classes; nothing where it has none.
[[nodiscard]] std::vector<std::uint64_t> count_classes(const Dataset& dataset);

/// What is known of a target.
struct TargetRange {
  std::uint32_t known = 0;        ///< samples of which it is known
  float least = 0, greatest = 0;  ///< of those; 0 where there are none
  double mean = 0;
  bool is_label = true;  ///< all that is known is 0 or 1
};
/// Of each target. Looks at all samples.
[[nodiscard]] std::vector<TargetRange> target_ranges(const Dataset& dataset);

}  // namespace millrace
