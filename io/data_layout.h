#pragma once
// The kind of a data set, and the places of its parts.

#include <millrace/io/left_out.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

enum class DataKind : std::uint8_t { class_folders, idx, csv, generated, tar };

/// What a part of a data set is for.
enum class PartKind : std::uint8_t { training, validation, test };

/// What a name says of a part: train or training; val, valid, validation, dev or eval; test or
/// testing; in any case. Nothing for other names.
[[nodiscard]] std::optional<PartKind> part_named(std::string_view name);

/// Where one data set lies.
struct DataPart {
  std::filesystem::path samples;  ///< the folder of classes, the images or the table; the word;
                                  ///< of shards what was named, or for messages "DATA/train-*"
  std::filesystem::path labels;   ///< the label file of IDX; empty otherwise
  /// A folder of classes beside which others may lie: images right beside it are left out.
  bool is_one_of_several = false;
  std::vector<std::filesystem::path> shards{};  ///< the archives of tar shards; empty otherwise
  LeftOut left_out{LeftOut::kAllNames};         ///< what lies beside those
};

struct DataLayout {
  DataKind kind = DataKind::class_folders;
  DataPart train;
  std::optional<DataPart> validation{};  ///< what to validate on: a part for that, or the test part
  bool validation_is_test = false;       ///< it is called test, so it is not for choosing models
  std::optional<DataPart> test{};        ///< the part that is called test
  std::vector<std::string> notes{};      ///< what the user should know
  std::optional<PartKind> only_part{};   ///< of one pair of IDX files, or shards of one name, in a
                                         ///< folder: by that name
};

}  // namespace millrace
