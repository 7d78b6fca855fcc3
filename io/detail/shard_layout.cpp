#include <millrace/io/detail/shard_layout.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/detail/named_parts.h>
#include <millrace/io/shard_files.h>
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

/// A word that tells a part, and which.
struct PartWord {
  PartKind kind;
  std::string word;
};

/// The first such word in a name: "train-000.tar", "photos_val_3.tgz".
std::optional<PartWord> word_in(std::string_view name) {
  for (std::size_t begin = 0; begin < name.size();) {
    const std::size_t end = std::min(name.find_first_of("-_.", begin), name.size());
    const std::string_view word = name.substr(begin, end - begin);
    if (const auto kind = part_named(word)) return PartWord{*kind, std::string(word)};
    begin = end + 1;
  }
  return {};
}

/// What a shard is of by its name, or by that of its folder.
std::optional<PartKind> kind_of(const fs::path& shard) {
  if (const auto word = word_in(last_name(shard))) return word->kind;
  return part_named(last_name(shard.parent_path()));
}

/// A part, called "train-*" by what the names begin with but for their numbers, or "*train*" where
/// that does not tell the part.
DataPart part_of(const Shards& shards) {
  if (shards.size() == 1) return {shards.front(), {}, false, shards};
  std::string start = last_name(shards.front());
  const std::optional<PartWord> word = word_in(start);
  for (const fs::path& shard : shards) {
    const std::string name = last_name(shard);
    const auto common = std::mismatch(start.begin(), start.end(), name.begin(), name.end()).first;
    start.erase(common, start.end());
  }
  start.erase(start.find_last_not_of("0123456789") + 1);  // npos + 1 is 0
  if (word && !word_in(start)) start = '*' + word->word;
  return {shards.front().parent_path() / (start + '*'), {}, false, shards};
}

/// The folders of parts, and all else that is beside them.
struct PartFolders {
  explicit PartFolders(const fs::path& folder) {
    for (const fs::path& path : entries_of(folder)) {
      const auto kind = is_folder(path) ? part_named(last_name(path)) : std::nullopt;
      if (!kind) {
        others.push_back(path);
        continue;
      }
      LeftOut left_out(LeftOut::kAllNames);
      Shards shards = shards_in(path, left_out);
      if (shards.empty() && !entries_of(path).empty()) without_shards = path;
      if (shards.empty()) continue;
      named.emplace_back(*kind, DataPart{path, {}, false, std::move(shards), std::move(left_out)});
      if (*kind == PartKind::training) training = named.size() - 1;
    }
  }

  std::vector<std::pair<PartKind, DataPart>> named;
  std::optional<std::size_t> training;  // its place in `named`
  std::optional<fs::path> without_shards;
  std::vector<fs::path> others;
};

std::optional<DataLayout> parts_in_folders(PartFolders& found) {
  if (!found.training) return {};
  DataPart& training = found.named[*found.training].second;
  if (found.without_shards) {
    throw Error(concat(found.without_shards->string(), ": has no .tar files, though ",
                       last_name(training.samples),
                       "/ beside it has; move it away, or name the part ",
                       "that has them: ", training.samples.string()));
  }
  for (const fs::path& path : found.others) {
    const bool has_shards = is_folder(path) ? !shards_in(path).empty()
                                            : is_file(path) && is_shard_name(last_name(path));
    if (has_shards) fail_beside(path, training.samples);
    leave_beside(path, training.left_out);
  }
  return layout_of(DataKind::tar, found.named);
}

/// Shards right in a folder beside those in the folder of a part, none of which is to train on.
[[noreturn]] void fail_between(const fs::path& folder, const fs::path& part) {
  throw Error(concat(part.string(), ": has shards that would be left out, since there are some ",
                     "beside it; move one of them away, or name those that are meant, as in '",
                     (folder / "*.tar").string(), "' or ", part.string()));
}

}  // namespace

std::optional<DataLayout> shard_layout(const fs::path& folder, const FolderParts& folders) {
  PartFolders in_folders(folder);
  if (auto layout = parts_in_folders(in_folders)) return layout;
  LeftOut left_out(LeftOut::kAllNames);
  const Shards shards = shards_in(folder, left_out);
  if (shards.empty() || folders.hold_images()) return {};
  if (!in_folders.named.empty()) fail_between(folder, in_folders.named.front().second.samples);
  std::map<PartKind, Shards> by_kind;
  std::optional<fs::path> beside;
  for (const fs::path& shard : shards) {
    if (const std::optional<PartWord> word = word_in(last_name(shard)))
      by_kind[word->kind].push_back(shard);
    else
      beside = shard;
  }
  if (by_kind.empty() || (by_kind.size() == 1 && !beside)) {
    DataLayout layout{DataKind::tar, {folder, {}, false, shards, std::move(left_out)}};
    if (!by_kind.empty()) layout.only_part = by_kind.begin()->first;
    return layout;
  }
  const auto training = by_kind.find(PartKind::training);
  if (training == by_kind.end()) {
    throw Error(concat(folder.string(), ": shards of several parts and none is called train; name ",
                       "those that are meant, as in '",
                       part_of(by_kind.begin()->second).samples.string(), "'"));
  }
  if (beside) fail_beside(*beside, part_of(training->second).samples);
  std::vector<std::pair<PartKind, DataPart>> named;
  for (const auto& [kind, some] : by_kind) {
    named.emplace_back(kind, part_of(some));
    if (kind == PartKind::training) named.back().second.left_out = left_out;
  }
  return layout_of(DataKind::tar, named);
}

DataLayout pattern_layout(const fs::path& pattern, Shards shards, LeftOut left_out) {
  DataLayout layout{DataKind::tar, {pattern, {}, false, std::move(shards), std::move(left_out)}};
  const fs::path* training = nullptr;
  const fs::path* other = nullptr;
  for (const fs::path& shard : layout.train.shards) {
    if (const auto kind = kind_of(shard)) {
      (*kind == PartKind::training ? training : other) = &shard;
    }
  }
  if (training != nullptr && other != nullptr) {
    layout.notes.push_back(
        concat(shown(pattern.native()), ": names shards of several parts, such as ",
               shown(training->native()), " and ", shown(other->native()),
               ", and all are taken as one; to keep the parts apart, name their folder"));
  }
  return layout;
}

}  // namespace millrace::detail
