#include <millrace/io/detail/shard_layout.h>

#include <millrace/core/error.h>
#include <millrace/io/detail/named_parts.h>
#include <millrace/io/tar_shards.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::detail {
namespace {

namespace fs = std::filesystem;

using Shards = std::vector<fs::path>;

/// By name. The same one plain and compressed counts once.
Shards shards_in(const fs::path& folder) {
  Shards shards;
  for (const fs::path& path : entries_of(folder)) {
    const bool is_twin = !shards.empty() && shards.back().native() + ".gz" == path.native();
    if (is_shard_name(last_name(path)) && is_file(path) && !is_twin) shards.push_back(path);
  }
  return shards;
}

/// What the first word in a name that tells a part tells: "train-000.tar", "photos_val_3.tgz".
std::optional<PartKind> part_of_name(const fs::path& shard) {
  const std::string name = last_name(shard);
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find_first_of("-_.", begin), name.size());
    if (auto kind = part_named(std::string_view(name).substr(begin, end - begin))) return kind;
    begin = end + 1;
  }
  return {};
}

/// A part, called "train-*" by what the names begin with but for their numbers.
DataPart part_of(const Shards& shards) {
  if (shards.size() == 1) return {shards.front(), {}, false, shards};
  std::string start = last_name(shards.front());
  for (const fs::path& shard : shards) {
    const std::string name = last_name(shard);
    const auto common = std::mismatch(start.begin(), start.end(), name.begin(), name.end()).first;
    start.erase(common, start.end());
  }
  start.erase(start.find_last_not_of("0123456789") + 1);  // npos + 1 is 0
  return {shards.front().parent_path() / (start + '*'), {}, false, shards};
}

std::optional<DataLayout> parts_in_folders(const fs::path& folder) {
  std::vector<std::pair<PartKind, DataPart>> named;
  const DataPart* training = nullptr;
  std::optional<fs::path> other;
  for (const fs::path& path : entries_of(folder)) {
    const auto kind = is_folder(path) ? part_named(last_name(path)) : std::nullopt;
    if (!kind) continue;
    Shards shards = shards_in(path);
    if (shards.empty() && !entries_of(path).empty()) other = path;
    if (!shards.empty()) named.emplace_back(*kind, DataPart{path, {}, false, std::move(shards)});
  }
  for (const auto& [kind, part] : named) {
    if (kind == PartKind::training) training = &part;
  }
  if (training == nullptr) return {};
  if (other) {
    throw Error(concat(other->string(), ": has no .tar files, though ",
                       last_name(training->samples),
                       "/ beside it has; move it away, or name the part ",
                       "that has them: ", training->samples.string()));
  }
  if (const Shards beside = shards_in(folder); !beside.empty()) {
    fail_beside(beside.front(), training->samples);
  }
  return layout_of(DataKind::tar, named);
}

}  // namespace

std::optional<DataLayout> shard_layout(const fs::path& folder, const FolderParts& folders) {
  if (auto layout = parts_in_folders(folder)) return layout;
  const Shards shards = shards_in(folder);
  if (shards.empty() || folders.hold_images()) return {};
  std::map<PartKind, Shards> by_kind;
  std::optional<fs::path> beside;
  for (const fs::path& shard : shards) {
    const std::optional<PartKind> kind = part_of_name(shard);
    if (kind)
      by_kind[*kind].push_back(shard);
    else
      beside = shard;
  }
  if (by_kind.empty() || (by_kind.size() == 1 && !beside)) {
    DataLayout layout{DataKind::tar, {folder, {}, false, shards}};
    if (!by_kind.empty()) layout.only_part = by_kind.begin()->first;
    return layout;
  }
  const auto training = by_kind.find(PartKind::training);
  if (training == by_kind.end()) {
    throw Error(concat(folder.string(), ": shards of several parts and none is called train; name ",
                       "those that are meant, as in '",
                       part_of(by_kind.begin()->second).samples.string(), ".tar'"));
  }
  if (beside) fail_beside(*beside, part_of(training->second).samples);
  std::vector<std::pair<PartKind, DataPart>> named;
  for (const auto& [kind, some] : by_kind) named.emplace_back(kind, part_of(some));
  return layout_of(DataKind::tar, named);
}

}  // namespace millrace::detail
