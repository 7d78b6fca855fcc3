#include <millrace/io/find_data.h>

#include <millrace/core/error.h>
#include <millrace/io/class_folder.h>
#include <millrace/io/class_names.h>
#include <millrace/io/csv.h>
#include <millrace/io/detail/data_parts.h>
#include <millrace/io/detail/shard_layout.h>
#include <millrace/io/generated.h>
#include <millrace/io/idx.h>
#include <millrace/io/tar_shards.h>

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

/// How a part is called in data of a kind.
std::string example(DataKind kind, const std::string& part) {
  switch (kind) {
    case DataKind::tar: return part + "-*.tar";
    case DataKind::csv: return part + ".csv";
    case DataKind::idx: return part + "-images-idx3-ubyte";
    default: return part + '/';
  }
}

void check_shapes(const Dataset& train, const Dataset& validation) {
  if (train.natural_shape() == validation.natural_shape()) return;
  throw Error(concat(validation.place(), ": samples of ", validation.natural_shape(), ", but ",
                     train.natural_shape(), " in ", train.place()));
}

}  // namespace

DataLayout find_data(const fs::path& data) {
  if (is_generated(data.native())) {
    (void)parse_generated(data.native());
    return {DataKind::generated, {data, {}}};
  }
  std::error_code error;
  const fs::file_status status = fs::status(data, error);
  if (!fs::exists(status)) {
    LeftOut left_out(LeftOut::kAllNames);
    if (auto shards = shards_matching(data.native(), left_out); !shards.empty()) {
      return detail::pattern_layout(data, std::move(shards), std::move(left_out));
    }
    const bool is_pattern = data.native().find_first_of("{*?[") != std::string::npos;
    throw Error(concat(data.string(), ": ", error ? error.message() : "no such file or folder",
                       is_pattern ? ", and as a pattern it must match .tar files alone" : ""));
  }
  if (fs::is_directory(status)) {
    detail::FolderParts folders(data);
    if (auto layout = folders.layout()) return *layout;
    if (auto layout = detail::idx_layout(data)) return *layout;
    if (auto layout = detail::table_layout(data)) return *layout;
    if (auto layout = detail::shard_layout(data, folders)) return *layout;
    folders.check_classes();
    return {DataKind::class_folders, {data, {}}, {}, false, {}, folders.notes()};
  }
  if (detail::is_table_name(data)) return {DataKind::csv, {data, {}}};
  if (is_shard_name(data.filename().native())) return {DataKind::tar, {data, {}, false, {data}}};
  if (std::optional<DataPart> pair = detail::idx_pair(data)) return {DataKind::idx, *pair};
  throw Error(concat(data.string(),
                     ": not a data set; expected a folder with a folder for each class, "
                     "IDX files, .tar shards or a .csv file"));
}

const DataPart& part_of(const DataLayout& layout, const std::string& word, const fs::path& data) {
  const std::optional<PartKind> kind = part_named(word);
  if (!kind) {
    throw UsageError(concat("--part must be train, validation, val or test, not ", word));
  }
  if (kind == PartKind::training) return layout.train;
  if (kind == PartKind::test) {
    if (layout.test) return *layout.test;
    throw Error(concat(data.string(), ": has no test part; expected ", example(layout.kind, "test"),
                       " beside ", example(layout.kind, "train")));
  }
  if (layout.validation && (word == "validation" || !layout.validation_is_test)) {
    return *layout.validation;
  }
  throw Error(concat(data.string(), ": has no validation part; expected ",
                     example(layout.kind, "val"),
                     word == "validation" ? " or " + example(layout.kind, "test") : "", " beside ",
                     example(layout.kind, "train")));
}

std::shared_ptr<const Dataset> open_dataset(DataKind kind, const DataPart& part, const Watch& watch,
                                            const OpenOptions& options) {
  switch (kind) {
    case DataKind::class_folders:
      return std::make_shared<ClassFolder>(
          part.samples, watch,
          ClassFolder::Options{options.is_companion, options.names_left_out,
                               part.is_one_of_several});
    case DataKind::idx: return std::make_shared<IdxDataset>(part.samples, part.labels);
    case DataKind::csv:
      return std::make_shared<CsvDataset>(part.samples, std::vector<std::string>{}, options.table);
    case DataKind::tar:
      return std::make_shared<TarShards>(
          part.samples, part.shards, watch,
          TarShards::Options{true, options.skips_damage, options.names_left_out, part.left_out});
    case DataKind::generated:
      return std::make_shared<GeneratedDataset>(parse_generated(part.samples.native()));
  }
  return nullptr;
}

OpenOptions beside(const Dataset& training, OpenOptions options) {
  options.is_companion = true;
  if (training.table() == nullptr) return options;
  options.table.known = *training.table();
  options.table.known_targets = training.targets();
  options.table.label.clear();  // known by its name now, and a number may be another column's
  options.table.targets.clear();
  return options;
}

std::shared_ptr<const Dataset> open_beside(const DataLayout& layout, const DataPart& part,
                                           const Dataset& train, const Watch& watch,
                                           const OpenOptions& options) {
  DataPart companion = part;
  companion.is_one_of_several = false;  // what lies beside both was counted
  auto dataset = open_dataset(layout.kind, companion, watch, beside(train, options));
  check_shapes(train, *dataset);
  return match_classes(std::move(dataset), part.samples.string(),
                       {train.classes(), layout.train.samples.string()})
      .dataset;
}

Datasets open_datasets(const DataLayout& layout, const Watch& watch, const OpenOptions& options) {
  Datasets sets;
  sets.train = open_dataset(layout.kind, layout.train, watch, options);
  if (!layout.validation) return sets;
  sets.validation = open_beside(layout, *layout.validation, *sets.train, watch, options);
  return sets;
}

}  // namespace millrace
