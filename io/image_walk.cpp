#include <millrace/io/image_walk.h>

#include <millrace/core/error.h>
#include <millrace/core/lower_case.h>
#include <millrace/io/detail/format.h>
#include <millrace/io/files.h>
#include <millrace/io/run_marker.h>

#include <sys/stat.h>
#include <algorithm>
#include <array>
#include <span>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 16> kImages = {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp",  ".dib", ".gif",
    ".ppm", ".pgm",  ".pnm", ".tga",  ".psd", ".webp", ".tif", ".tiff"};

// Images of formats that are not read, where not even the content is what the name says.
struct Foreign {
  std::string_view ending;
  const char* format;
};
constexpr std::array<Foreign, 4> kForeign = {
    {{".heic", "HEIC"}, {".heif", "HEIC"}, {".avif", "AVIF"}, {".jxl", "JPEG XL"}}};

// What lies about in folders of images and is none. It is not opened.
constexpr std::array<std::string_view, 66> kOther = {
    ".txt",  ".csv",    ".tsv",  ".json", ".jsonl",       ".md",   ".rst",     ".xml",
    ".yaml", ".yml",    ".toml", ".html", ".htm",         ".css",  ".js",      ".py",
    ".pyc",  ".ipynb",  ".m",    ".r",    ".sh",          ".bat",  ".c",       ".h",
    ".cpp",  ".db",     ".ini",  ".cfg",  ".conf",        ".log",  ".sqlite",  ".sqlite3",
    ".zip",  ".gz",     ".tgz",  ".tar",  ".bz2",         ".xz",   ".zst",     ".7z",
    ".rar",  ".npy",    ".npz",  ".h5",   ".hdf5",        ".mat",  ".parquet", ".tfrecord",
    ".pt",   ".pth",    ".pkl",  ".onnx", ".safetensors", ".doc",  ".docx",    ".xls",
    ".xlsx", ".mp4",    ".avi",  ".mov",  ".mkv",         ".webm", ".mp3",     ".wav",
    ".lnk",  ".torrent"};

/// ".jpeg" of "1.JPEG"; empty where there is none, or one longer than any that is known.
class Ending {
 public:
  explicit Ending(std::string_view name) {
    const std::size_t dot = name.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || name.size() - dot > letters_.size()) return;
    size_ = name.size() - dot;
    std::transform(name.begin() + static_cast<std::ptrdiff_t>(dot), name.end(), letters_.begin(),
                   [](char c) { return lower_case(c); });
  }
  [[nodiscard]] std::string_view text() const noexcept { return {letters_.data(), size_}; }
  template <std::size_t kCount>
  [[nodiscard]] bool is_among(const std::array<std::string_view, kCount>& endings) const {
    return std::find(endings.begin(), endings.end(), text()) != endings.end();
  }

 private:
  std::array<char, 16> letters_{};
  std::size_t size_ = 0;
};

EntryKind left_out(LeftOutReason reason, std::string what = {}) {
  return {EntryKind::left_out, reason, std::move(what)};
}

/// A text may begin with the two letters that begin a PNM or BMP file, and go on otherwise.
bool is_text_after_all(std::span<const std::byte> start) {
  const auto at = [&](std::size_t i) { return std::to_integer<unsigned>(start[i]); };
  if (start.size() < 18) return false;
  if (at(0) == 'P' && at(1) >= '1' && at(1) <= '7') {
    constexpr std::string_view kDividers = " \t\r\n\v\f#";
    return kDividers.find(static_cast<char>(at(2))) == std::string_view::npos;
  }
  const bool is_small_header = at(14) >= 12 && at(14) <= 124 && at(15) + at(16) + at(17) == 0;
  return at(0) == 'B' && at(1) == 'M' && !is_small_header;
}

template <class Visit>
void list(const fs::path& folder, Visit visit, std::error_code& error) {
  fs::directory_iterator entries(folder, error);
  while (!error && entries != fs::directory_iterator()) {
    visit(*entries, entries->path().filename().string());
    entries.increment(error);
  }
}

/// What the first bytes of a file tell that its name does not.
EntryKind kind_by_content(const fs::path& path, const Ending& ending) {
  constexpr std::size_t kStart = 512;
  std::array<std::byte, kStart> memory{};
  std::error_code error;
  const auto start = std::span<const std::byte>(memory).first(read_start(path, memory, error));
  if (error) return left_out(LeftOutReason::unreadable, error.message());
  try {
    if (is_text_after_all(start)) return left_out(LeftOutReason::content);
    (void)detail::sniff(start);
    return {};
  } catch (const detail::ForeignFormat& format) {
    return left_out(
        LeftOutReason::format,
        concat(format.format(), ", which is not read, convert with ", format.converter()));
  } catch (const Error&) {
    // Not an image, or damaged beyond recognition.
  }
  const auto foreign = std::find_if(kForeign.begin(), kForeign.end(), [&](const Foreign& one) {
    return one.ending == ending.text();
  });
  if (foreign != kForeign.end()) {
    return left_out(LeftOutReason::format, concat(foreign->format, ", which is not read"));
  }
  return left_out(start.empty() ? LeftOutReason::empty : LeftOutReason::content);
}

/// Neither folder nor file, as far as could be seen.
EntryKind kind_of_rest(const fs::directory_entry& entry) {
  std::error_code error;
  const fs::file_status status = entry.status(error);
  if (status.type() == fs::file_type::not_found) return left_out(LeftOutReason::nowhere);
  if (error == std::errc::too_many_symbolic_link_levels) return left_out(LeftOutReason::circle);
  if (error) return left_out(LeftOutReason::unreadable, error.message());
  return left_out(LeftOutReason::special);
}

}  // namespace

bool is_image_name(std::string_view name) noexcept {
  return Ending(name).is_among(kImages);
}

// is_directory() and is_regular_file() know what the folder said; only links cost a call.
EntryKind kind_of(const fs::directory_entry& entry, const std::string& name) {
  if (name.starts_with('.')) return left_out(LeftOutReason::hidden);
  std::error_code ignored;
  if (entry.is_directory(ignored)) return {EntryKind::folder};
  if (!entry.is_regular_file(ignored)) return kind_of_rest(entry);
  const Ending ending(name);
  if (ending.is_among(kImages)) return {};
  if (ending.is_among(kOther)) return left_out(LeftOutReason::ending);
  return kind_by_content(entry.path(), ending);
}

void for_each_entry(
    const fs::path& folder,
    const std::function<void(const fs::directory_entry&, const std::string& name)>& visit) {
  std::error_code error;
  list(folder, visit, error);
  if (error) throw Error(concat(folder.string(), ": cannot be listed: ", error.message()));
}

// One call of images_below().
struct ImageWalk::Search {
  LeftOut& left_out;
  const std::string& prefix;
  std::vector<Found> found;

  [[nodiscard]] std::string name(const std::string& path) const {
    if (prefix.empty() || path.empty()) return prefix + path;
    return (fs::path(prefix) / path).string();
  }
};

ImageWalk::ImageWalk(fs::path root, const Watch& watch)
    : root_(std::move(root)), watch_(watch), above_{identity_of(root_)} {}

ImageWalk::Identity ImageWalk::identity_of(const fs::path& folder) {
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino};
}

std::vector<ImageWalk::Found> ImageWalk::images_below(const std::string& path, LeftOut& left_out,
                                                      const std::string& prefix) {
  Search search{left_out, prefix, {}};
  if (path.empty()) above_.clear();
  enter(path, search);
  if (path.empty()) above_ = {identity_of(root_)};
  std::sort(search.found.begin(), search.found.end(),
            [](const Found& a, const Found& b) { return a.path < b.path; });
  return std::move(search.found);
}

void ImageWalk::enter(const std::string& path, Search& search) {
  const fs::path folder = path.empty() ? root_ : root_ / path;
  const Identity identity = identity_of(folder);
  if (std::find(above_.begin(), above_.end(), identity) != above_.end()) {
    search.left_out.add(LeftOutReason::circle, search.name(path));
    return;
  }
  const bool is_run = !path.empty() && is_run_directory(folder);
  if (is_run) search.left_out.add(LeftOutReason::run, search.name(path));
  std::string listing;
  std::vector<std::string> below;
  const auto path_of = [&](const std::string& name) {
    return path.empty() ? name : path + "/" + name;
  };
  const auto visit = [&](const fs::directory_entry& entry, const std::string& name) {
    if (is_run && is_part_of_run(name)) return;
    const EntryKind kind = kind_of(entry, name);
    if (kind.kind == EntryKind::folder) {
      below.push_back(path_of(name));
    } else if (kind.kind == EntryKind::image) {
      listing.append(name).push_back('\0');
      if (++images_ % 4096 == 0) watch_.at(images_);
    } else {
      search.left_out.add(kind.reason, search.name(path_of(name)), kind.what);
    }
  };
  std::error_code error;
  list(folder, visit, error);
  if (error) {
    search.left_out.add(LeftOutReason::unreadable, search.name(path), error.message());
    return;
  }
  if (!listing.empty()) search.found.push_back({path, std::move(listing)});
  above_.push_back(identity);
  for (const std::string& next : below) enter(next, search);
  above_.pop_back();
}

}  // namespace millrace
