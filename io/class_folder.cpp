#include <millrace/io/class_folder.h>

#include <millrace/image/image.h>
#include <millrace/io/decode.h>

#include <sys/stat.h>
#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 13> kPictures = {".jpg", ".jpeg", ".png", ".bmp", ".gif",
                                                        ".ppm", ".pgm",  ".pnm", ".tga", ".psd",
                                                        ".tif", ".tiff", ".webp"};
// Pictures of formats that are not read. Leaving them out without a word would be a trap.
constexpr std::array<std::string_view, 4> kForeign = {".heic", ".heif", ".avif", ".jxl"};

constexpr const char* kExpectedTree =
    "expected a folder for each class: DATA/cats/1.jpg, DATA/dogs/2.jpg";

template <std::size_t kCount>
bool has_ending(std::string_view name, const std::array<std::string_view, kCount>& endings) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::any_of(endings.begin(), endings.end(), [&](std::string_view ending) {
    return name.size() > ending.size() &&
           std::equal(ending.begin(), ending.end(), name.end() - static_cast<int>(ending.size()),
                      [&](char a, char b) { return a == lower(b); });
  });
}

// Calls visit(entry, name) for each entry that is not hidden.
template <class Visit>
void for_each_entry(const fs::path& folder, Visit visit) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  while (!error && entries != fs::directory_iterator()) {
    const std::string name = entries->path().filename().string();
    if (!name.starts_with('.')) visit(*entries, name);
    entries.increment(error);
  }
  if (error) throw Error(concat(folder.string(), ": cannot be listed: ", error.message()));
}

bool is_folder(const fs::directory_entry& entry) {
  std::error_code ignored;  // a link to nowhere is no folder
  return entry.is_directory(ignored);
}

bool is_file(const fs::directory_entry& entry) {
  std::error_code ignored;
  return entry.is_regular_file(ignored);
}

using Identity = std::pair<dev_t, ino_t>;

Identity identity_of(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

}  // namespace

bool is_picture_name(std::string_view name) noexcept {
  return has_ending(name, kPictures);
}

// The state of one indexing run, and what it found in the class at hand.
struct ClassFolder::Walk {
  struct Found {
    std::string path;     // below the root
    std::string listing;  // names of pictures, each followed by a zero byte
  };

  const fs::path& root;
  const Watch& watch;
  std::vector<Found> found;
  std::vector<Identity> above;  // the folders that the one at hand is in, to notice circles
  std::uint64_t pictures = 0;
  std::uint64_t foreign = 0;
  std::uint64_t dangling = 0;
  std::uint64_t circles = 0;

  void enter(const std::string& path) {
    const fs::path folder = root / path;
    const Identity identity = identity_of(folder);
    if (std::find(above.begin(), above.end(), identity) != above.end()) {
      ++circles;
      return;
    }
    above.push_back(identity);
    std::string listing;
    std::vector<std::string> below;
    for_each_entry(folder, [&](const fs::directory_entry& entry, const std::string& name) {
      if (is_folder(entry)) {
        below.push_back(path + "/" + name);
      } else if (is_picture_name(name)) {
        take(entry, name, listing);
      } else if (has_ending(name, kForeign)) {
        ++foreign;
      }
    });
    if (!listing.empty()) found.push_back({path, std::move(listing)});
    for (const std::string& next : below) enter(next);
    above.pop_back();
  }

  void take(const fs::directory_entry& entry, const std::string& name, std::string& listing) {
    if (!is_file(entry)) {
      ++dangling;
      return;
    }
    listing.append(name).push_back('\0');
    if (++pictures % 4096 == 0) watch.at(pictures);
  }
};

ClassFolder::ClassFolder(fs::path root, const Watch& watch) : root_(std::move(root)) {
  std::error_code error;
  const fs::file_status status = fs::status(root_, error);
  if (!fs::exists(status)) {
    throw Error(concat(root_.string(), ": ", error ? error.message() : "no such folder"));
  }
  if (!fs::is_directory(status)) {
    throw Error(concat(root_.string(), ": is not a folder; ", kExpectedTree));
  }
  std::uint64_t loose = 0;
  for_each_entry(root_, [&](const fs::directory_entry& entry, const std::string& name) {
    if (is_folder(entry))
      classes_.push_back(name);
    else if (is_picture_name(name))
      ++loose;
  });
  if (classes_.empty()) {
    throw Error(concat(root_.string(),
                       loose > 0 ? ": pictures without class folders; " : ": no class folders; ",
                       kExpectedTree));
  }
  std::sort(classes_.begin(), classes_.end());

  Walk walk{root_, watch, {}, {identity_of(root_)}};
  offsets_.push_back(0);
  for (const std::string& name : classes_) add_class(name, walk);
  if (classes_.size() == 1) {
    throw Error(concat(root_.string(), ": only one class, ", classes_.front(),
                       "; nothing can be learnt from that; ", kExpectedTree));
  }
  watch.at(size());
  names_.shrink_to_fit();
  offsets_.shrink_to_fit();
  folders_.shrink_to_fit();

  const auto note = [&](std::uint64_t count, const char* what) {
    if (count > 0) notes_.push_back(concat(root_.string(), ": ", count, " ", what));
  };
  note(walk.foreign, walk.foreign == 1
                         ? "file of HEIC, AVIF or JPEG XL left out: convert it to PNG or JPEG "
                           "(heif-convert, magick)"
                         : "files of HEIC, AVIF or JPEG XL left out: convert them to PNG or JPEG "
                           "(heif-convert, magick)");
  note(loose, "pictures beside the class folders left out: they have no class");
  note(walk.dangling, "picture names left out: they are no files, or links to nowhere");
  note(walk.circles, "links left out: they lead back to a folder they are in");
}

void ClassFolder::add_class(const std::string& class_name, Walk& walk) {
  const std::uint64_t foreign_before = walk.foreign;
  walk.found.clear();
  walk.enter(class_name);
  if (walk.found.empty()) {
    const std::string path = (root_ / class_name).string();
    if (walk.foreign > foreign_before) {
      throw Error(concat(path,
                         ": only pictures that are not read (HEIC, AVIF, JPEG XL); "
                         "convert them to PNG or JPEG"));
    }
    throw Error(concat(path, ": no pictures in this class folder; add some or remove the folder"));
  }
  std::sort(walk.found.begin(), walk.found.end(),
            [](const Walk::Found& a, const Walk::Found& b) { return a.path < b.path; });
  const auto label = static_cast<int>(&class_name - classes_.data());
  for (const Walk::Found& found : walk.found) {
    folders_.push_back({found.path, size(), label});
    append(found.path, found.listing);
  }
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
