#include <millrace/io/class_folder.h>

#include <millrace/core/shown_text.h>
#include <millrace/image/image.h>
#include <millrace/io/class_names.h>
#include <millrace/io/decode.h>
#include <millrace/io/files.h>
#include <millrace/io/run_marker.h>

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExpectedTree =
    "expected a folder for each class: DATA/cats/1.jpg, DATA/dogs/2.jpg";

void check_is_folder(const fs::path& root) {
  std::error_code error;
  const fs::file_status status = fs::status(root, error);
  if (!fs::exists(status)) {
    throw Error(concat(root.string(), ": ", error ? error.message() : "no such folder"));
  }
  if (!fs::is_directory(status)) {
    throw Error(concat(root.string(), ": is not a folder; ", kExpectedTree));
  }
}

/// What the file kEmptyClasses says; nothing where there is none. Whoever gave us the folder may
/// have put anything under that name, a pipe or a link to a device included.
std::set<std::string> names_of_empty(const fs::path& root) {
  constexpr Bytes kMost = 1_MiB;  // 100,000 names of ten letters
  const fs::path path = root / ClassFolder::kEmptyClasses;
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (!fs::is_regular_file(status)) {
    throw Error(concat(path.string(), ": is not a regular file; expected a text with the name of ",
                       "an empty class on each line, so remove it or rewrite it"));
  }
  std::vector<std::byte> bytes;
  read_file_into(path, bytes, kMost);
  std::istringstream text({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  std::set<std::string> names;
  for (std::string line; std::getline(text, line);) names.insert(line);
  return names;
}

}  // namespace

ClassFolder::ClassFolder(fs::path root, const Watch& watch, const Options& options)
    : root_(std::move(root)), left_out_(options.names_left_out) {
  check_is_folder(root_);
  const std::vector<ClassName> folders = list_classes();
  if (options.is_one_of_several) leave_out_beside();
  check_names(folders);
  const std::set<std::string> empty = names_of_empty(root_);

  ImageWalk walk(root_, watch);
  offsets_.push_back(0);
  for (const ClassName& folder : folders) {
    add_class(folder, walk, options.is_companion, empty.count(folder.name) != 0);
  }
  note_alike();
  if (classes_.size() == 1 && !options.is_companion) {
    throw Error(concat(root_.string(), ": only one class, ", classes_.front(),
                       "; nothing can be learnt from that; ", kExpectedTree));
  }
  if (size() == 0) throw Error(concat(root_.string(), ": no images in any class folder"));
  watch.at(size());
  names_.shrink_to_fit();
  offsets_.shrink_to_fit();
  folders_.shrink_to_fit();
}

// The class folders in the order of their bytes.
std::vector<ClassFolder::ClassName> ClassFolder::list_classes() {
  std::vector<ClassName> folders;
  for_each_entry(root_, [&](const fs::directory_entry& entry, const std::string& name) {
    if (name == kEmptyClasses || name == kRunMarker) return;
    const EntryKind kind = kind_of(entry, name);
    if (kind.kind == EntryKind::folder) {
      folders.push_back({name, as_utf8(name)});
    } else if (kind.kind == EntryKind::image) {
      left_out_.add(LeftOutReason::beside, name);
    } else {
      left_out_.add(kind.reason, name, kind.what);
    }
  });
  if (folders.empty()) {
    const bool has_images = left_out_.count(LeftOutReason::beside) > 0;
    throw Error(concat(root_.string(),
                       has_images ? ": images without class folders; " : ": no class folders; ",
                       kExpectedTree));
  }
  std::sort(folders.begin(), folders.end(),
            [](const ClassName& a, const ClassName& b) { return a.folder < b.folder; });
  for (const ClassName& folder : folders) {
    if (folder.name == folder.folder) continue;
    notes_.push_back(concat(shown(root_.native()), ": the name of the class folder ",
                            shown(folder.folder), " is not UTF-8; the class is called '",
                            shown(folder.name), "', backslashes and all"));
  }
  return folders;
}

// Images beside a part, which are of no class. Other files are often there, and nobody misses them.
void ClassFolder::leave_out_beside() {
  try {
    for_each_entry(root_.parent_path(),
                   [&](const fs::directory_entry& entry, const std::string& name) {
                     if (kind_of(entry, name).kind != EntryKind::image) return;
                     left_out_.add(LeftOutReason::beside, "../" + name);
                   });
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): who may not look there has none there
  }
}

void ClassFolder::check_names(const std::vector<ClassName>& folders) const {
  std::set<std::string_view> taken;
  for (const ClassName& folder : folders) {
    if (!taken.insert(folder.name).second) {
      throw Error(concat(root_.string(), ": two class folders would be called '", folder.name,
                         "', since the name of one is not UTF-8; rename it"));
    }
  }
}

// Copies of one class that went different ways: to a Mac and back, or by another hand. Each pair is
// looked at, so not among more classes than somebody names by hand.
void ClassFolder::note_alike() {
  constexpr std::size_t kMost = 300;
  if (classes_.size() > kMost) return;
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const std::string what = difference(classes_[j], classes_[i]);
      if (what.empty()) continue;
      notes_.push_back(concat(shown(root_.native()), ": the classes '", shown(classes_[j]),
                              "' and '", shown(classes_[i]), "' differ ", what, " alone"));
    }
  }
}

void ClassFolder::add_class(const ClassName& folder, ImageWalk& walk, bool is_companion,
                            bool is_said_empty) {
  LeftOut left_out(std::max<std::size_t>(left_out_.names(), 1));
  const std::vector<ImageWalk::Found> all = walk.images_below(folder.folder, left_out);
  if (all.empty() && !is_said_empty) {
    // A folder such as runs/, where training was begun in DATA itself, or DATA/events.
    const bool is_of_run = is_part_of_run(folder.folder) && is_run_directory(root_);
    const bool holds_runs = left_out.count(LeftOutReason::run) > 0 && !left_out.loses_images();
    if (is_of_run) left_out_.add(LeftOutReason::run, folder.folder);
    if (holds_runs) left_out_.add(left_out);
    if (is_of_run || holds_runs) return;
  }
  if (all.empty() && !is_companion && !is_said_empty) {
    const std::vector<std::string> unreadable = left_out.lines(LeftOutReason::unreadable);
    if (!unreadable.empty()) {
      throw Error(concat(root_.string(), '/', unreadable.front(), "; the class '", folder.name,
                         "' has no images without it"));
    }
    const std::string what = left_out.summary();
    throw Error(concat((root_ / folder.folder).string(),
                       ": no images in this class folder; add some or remove the folder",
                       what.empty() ? "" : "; ", what));
  }
  left_out_.add(left_out);
  const int label = static_cast<int>(classes_.size());
  classes_.push_back(folder.name);
  for (const ImageWalk::Found& found : all) {
    folders_.push_back({found.path, size(), label});
    append(found.path, found.listing);
  }
}

std::vector<std::string> ClassFolder::notes() const {
  std::vector<std::string> all = notes_;
  const std::vector<std::string> missing = class_notes();
  all.insert(all.end(), missing.begin(), missing.end());
  if (left_out_.total() > 0) {
    all.push_back(concat(shown(root_.native()), ": ", left_out_.summary()));
  }
  return all;
}

void ClassFolder::append(const std::string& folder, const std::string& listing) {
  std::vector<std::string_view> names;
  for (std::size_t at = 0; at < listing.size();) {
    names.emplace_back(listing.c_str() + at);
    at += names.back().size() + 1;
  }
  std::sort(names.begin(), names.end());
  constexpr std::size_t kLimit = std::numeric_limits<std::uint32_t>::max();
  if (names_.size() + listing.size() > kLimit) {
    throw Error(
        concat((root_ / folder).string(), ": more than 4 GiB of file names; split the data"));
  }
  for (const std::string_view name : names) {
    names_ += name;
    offsets_.push_back(static_cast<std::uint32_t>(names_.size()));
  }
}

std::uint32_t ClassFolder::size() const noexcept {
  return static_cast<std::uint32_t>(offsets_.size() - 1);
}

const ClassFolder::Folder& ClassFolder::folder_of(std::uint32_t index) const {
  MILLRACE_CHECK(index < size(), "sample ", index, " of ", size());
  const auto next = std::upper_bound(
      folders_.begin(), folders_.end(), index,
      [](std::uint32_t sample, const Folder& folder) { return sample < folder.first; });
  return *(next - 1);
}

int ClassFolder::label(std::uint32_t index) const {
  return folder_of(index).label;
}

std::string ClassFolder::name(std::uint32_t index) const {
  const Folder& folder = folder_of(index);
  const std::string_view file(names_.data() + offsets_[index],
                              offsets_[index + 1] - offsets_[index]);
  std::string path = (root_ / folder.path).string();
  path.append("/").append(file);
  return path;
}

Bytes ClassFolder::index_bytes() const noexcept {
  std::size_t bytes = sizeof(*this) + names_.capacity() +
                      offsets_.capacity() * sizeof(std::uint32_t) +
                      folders_.capacity() * sizeof(Folder);
  for (const Folder& folder : folders_) bytes += folder.path.capacity();
  for (const std::string& name : classes_) bytes += sizeof(name) + name.capacity();
  return {bytes};
}

void ClassFolder::load(std::uint32_t index, TensorView target, Filter filter,
                       Decoder& decoder) const {
  decoder.decode_file(name(index), image_of(target), filter);
}

}  // namespace millrace
