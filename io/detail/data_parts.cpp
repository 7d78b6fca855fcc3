#include <millrace/io/detail/data_parts.h>

#include <millrace/core/error.h>
#include <millrace/core/lower_case.h>
#include <millrace/io/detail/named_parts.h>
#include <millrace/io/image_walk.h>
#include <millrace/io/run_marker.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>
#include <utility>

namespace millrace::detail {
namespace {

namespace fs = std::filesystem;

/// train/ is a part of the data set and not a class if there are folders in it.
bool has_folders(const fs::path& folder) {
  try {
    const std::vector<fs::path> entries = entries_of(folder);
    return std::any_of(entries.begin(), entries.end(), is_folder);
  } catch (const Error&) {
    return false;  // who reads it will say so
  }
}

}  // namespace

FolderParts::FolderParts(fs::path data) : data_(std::move(data)) {
  for (const fs::path& path : entries_of(data_)) {
    if (!is_folder(path)) continue;
    if (is_run_directory(path) && !holds_images({path, {}, false})) continue;
    folders_.push_back({path, part_named(last_name(path)), false});
    if (folders_.back().kind) folders_.back().has_folders = has_folders(path);
  }
}

bool FolderParts::holds_images(const Folder& folder) const {
  const Watch unwatched;
  LeftOut left_out;
  ImageWalk walk(data_, unwatched);
  return !walk.images_below(last_name(folder.path), left_out).empty() ||
         left_out.count(LeftOutReason::unreadable) > 0;
}

bool FolderParts::hold_images() const {
  return std::any_of(folders_.begin(), folders_.end(),
                     [&](const Folder& folder) { return holds_images(folder); });
}

const FolderParts::Folder* FolderParts::training_with_classes() const {
  const auto found = std::find_if(folders_.begin(), folders_.end(), [](const Folder& folder) {
    return folder.kind == PartKind::training && folder.has_folders;
  });
  return found == folders_.end() ? nullptr : &*found;
}

std::optional<DataLayout> FolderParts::layout() const {
  const Folder* const training = training_with_classes();
  if (training == nullptr) return {};
  std::vector<std::pair<PartKind, DataPart>> named;
  const Folder* beside = nullptr;
  for (const Folder& folder : folders_) {
    if (folder.kind && folder.has_folders) {
      named.emplace_back(*folder.kind, DataPart{folder.path, {}, true});
    } else if (folder.kind && holds_images(folder)) {
      throw Error(concat(folder.path.string(), ": has images without class folders, though ",
                         last_name(training->path),
                         "/ beside it has class folders; expected such as ", folder.path.string(),
                         "/cats/3.jpg; or name the part that has them: ", training->path.string()));
    } else if (!folder.kind && beside == nullptr && holds_images(folder)) {
      beside = &folder;
    }
  }
  if (beside != nullptr && named.size() == 1) return {};  // classes, one of them called train
  if (beside != nullptr) fail_beside(beside->path, training->path);
  return layout_of(DataKind::class_folders, named);
}

void FolderParts::check_classes() const {
  const auto find = [&](bool is_training) {
    return std::find_if(folders_.begin(), folders_.end(), [&](const Folder& folder) {
      return folder.kind && (folder.kind == PartKind::training) == is_training;
    });
  };
  const auto training = find(true), other = find(false);
  if (training == folders_.end() || other == folders_.end() || training->has_folders) return;
  const std::string train = last_name(training->path), val = last_name(other->path);
  throw Error(concat(data_.string(), ": ", train, "/ and ", val,
                     "/ hold no class folders; expected a folder for each class: DATA/", train,
                     "/cats/1.jpg, DATA/", train, "/dogs/2.jpg, DATA/", val, "/cats/3.jpg"));
}

std::vector<std::string> FolderParts::notes() const {
  if (const Folder* const training = training_with_classes()) {
    return {concat(training->path.string(),
                   ": taken for a class, since there are no parts beside it ",
                   "but other folders of images")};
  }
  std::vector<const Folder*> parts;
  for (const Folder& folder : folders_) {
    if (folder.has_folders)
      parts.push_back(&folder);
    else if (folder.kind || holds_images(folder))
      return {};
  }
  if (parts.size() < 2) return {};
  return {concat(data_.string(), ": ", last_name(parts.front()->path), " and ",
                 last_name(parts.back()->path),
                 " are taken for classes, since none of them is called train")};
}

// "mnist-images-idx3-ubyte.gz" becomes "mnist-labels-idx1-ubyte", with or without .gz, whichever is
// there; some copies have a dot in the name where the original has a dash.
std::optional<DataPart> idx_pair(const fs::path& images) {
  std::string name = last_name(images);
  const std::size_t at = name.find("images");
  if (at == std::string::npos || name.find("idx3-ubyte", at) == std::string::npos) return {};
  name.replace(at, 6, "labels");
  name.replace(name.find("idx3", at), 4, "idx1");
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const char* ending : {"", ".gz"}) {
    const fs::path labels = images.parent_path() / (name + ending);
    if (is_file(labels)) return DataPart{images, labels};
  }
  throw Error(concat(images.string(), ": its labels are missing; expected ", name, " beside it"));
}

namespace {

// All pairs of IDX files in a folder, by name.
std::vector<DataPart> idx_pairs(const fs::path& folder) {
  std::vector<DataPart> pairs;
  for (const fs::path& path : entries_of(folder)) {
    const std::string name = last_name(path);
    const bool is_images = name.find("images") != std::string::npos &&
                           (name.ends_with("idx3-ubyte") || name.ends_with("idx3-ubyte.gz"));
    // The same file plain and compressed counts once.
    const bool is_twin = !pairs.empty() && pairs.back().samples.string() + ".gz" == path.string();
    if (!is_images || is_twin || !is_file(path)) continue;
    if (std::optional<DataPart> pair = idx_pair(path)) pairs.push_back(std::move(*pair));
  }
  return pairs;
}

// What "train-images-idx3-ubyte" or "emnist-letters-test-images-idx3-ubyte" says.
std::optional<PartKind> idx_part(const fs::path& images) {
  std::string start = last_name(images);
  start.resize(start.find("images"));
  start.resize(start.find_last_not_of("-_.") + 1);
  const std::string word = start.substr(start.find_last_of("-_.") + 1);
  return lower_case(word) == "t10k" ? PartKind::test : part_named(word);
}

}  // namespace

std::optional<DataLayout> idx_layout(const fs::path& folder) {
  const std::vector<DataPart> pairs = idx_pairs(folder);
  if (pairs.empty()) return {};
  if (pairs.size() == 1) {
    DataLayout layout{DataKind::idx, pairs.front()};
    layout.only_part = idx_part(pairs.front().samples);
    return layout;
  }
  std::vector<std::pair<PartKind, DataPart>> named;
  const DataPart* beside = nullptr;
  const DataPart* training = nullptr;
  for (const DataPart& pair : pairs) {
    const std::optional<PartKind> kind = idx_part(pair.samples);
    if (!kind) beside = &pair;
    if (kind == PartKind::training) training = &pair;
    if (kind) named.emplace_back(*kind, pair);
  }
  if (training == nullptr) {
    throw Error(concat(folder.string(),
                       ": several pairs of IDX files and none is called train-images-",
                       "idx3-ubyte; name one of them instead of the folder"));
  }
  if (beside != nullptr) fail_beside(beside->samples, training->samples);
  return layout_of(DataKind::idx, named);
}

bool is_table_name(const fs::path& file) {
  return lower_case(file.extension().string()) == ".csv";
}

std::optional<DataLayout> table_layout(const fs::path& folder) {
  std::vector<std::pair<PartKind, DataPart>> named;
  std::optional<fs::path> beside, training;
  for (const fs::path& path : entries_of(folder)) {
    if (!is_table_name(path) || !is_file(path)) continue;
    const std::optional<PartKind> kind = part_named(path.stem().string());
    if (!kind) beside = path;
    if (kind == PartKind::training) training = path;
    if (kind) named.emplace_back(*kind, DataPart{path, {}});
  }
  if (!training) return {};
  if (beside) fail_beside(*beside, *training);
  return layout_of(DataKind::csv, named);
}

}  // namespace millrace::detail
