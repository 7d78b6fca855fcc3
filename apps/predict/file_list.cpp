#include "apps/predict/file_list.h"

#include <millrace/core/error.h>
#include <millrace/image/image.h>
#include <millrace/io/decode.h>
#include <millrace/io/image_walk.h>

#include <glob.h>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <system_error>
#include <utility>

namespace millrace::apps {
namespace {

namespace fs = std::filesystem;

void add_folder(const std::string& folder, FoundFiles& found) {
  std::vector<std::string> images;
  const Watch watch;
  LeftOut left_out;
  for (const ImageWalk::Found& part : ImageWalk(folder, watch).images_below({}, left_out, folder)) {
    const fs::path path = part.path.empty() ? fs::path(folder) : fs::path(folder) / part.path;
    for (std::size_t at = 0; at < part.listing.size();) {
      const std::string name = part.listing.c_str() + at;
      images.push_back((path / name).string());
      at += name.size() + 1;
    }
  }
  found.left_out.add(left_out);
  const std::vector<std::string> unreadable = left_out.lines(LeftOutReason::unreadable);
  found.problems.insert(found.problems.end(), unreadable.begin(), unreadable.end());
  if (images.empty() && unreadable.empty()) {
    found.problems.push_back(concat(folder, ": no images in this folder"));
  }
  std::sort(images.begin(), images.end());
  found.files.insert(found.files.end(), images.begin(), images.end());
}

std::vector<std::string> matches_of(const std::string& pattern) {
  glob_t matches{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&matches, ::globfree);
  if (::glob(pattern.c_str(), 0, nullptr, &matches) != 0) return {};
  return {matches.gl_pathv, matches.gl_pathv + matches.gl_pathc};
}

using AddFolder = void(const std::string& folder, FoundFiles& found);

void refuse_folder(const std::string& folder, FoundFiles& found) {
  found.problems.push_back(
      concat(folder, ": a folder; name the tables in it, as in '", folder, "/*.csv'"));
}

void add_path(const std::string& path, AddFolder& add_folder, FoundFiles& found) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    add_folder(path, found);
  else
    found.files.push_back(path);
}

FoundFiles find(const std::vector<std::string>& paths, AddFolder& add_folder) {
  FoundFiles found;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (path.find_first_of("*?[") == std::string::npos || fs::exists(path, ignored)) {
      add_path(path, add_folder, found);
      continue;
    }
    const std::vector<std::string> matches = matches_of(path);
    if (matches.empty()) found.problems.push_back(concat(path, ": matches no file"));
    for (const std::string& match : matches) add_path(match, add_folder, found);
  }
  return found;
}

}  // namespace

FoundFiles find_files(const std::vector<std::string>& paths) {
  return find(paths, add_folder);
}

FoundFiles find_tables(const std::vector<std::string>& paths) {
  return find(paths, refuse_folder);
}

FileList::FileList(std::vector<std::string> files, Unreadable on_unreadable)
    : files_(std::move(files)), on_unreadable_(std::move(on_unreadable)) {}

Bytes FileList::index_bytes() const noexcept {
  std::size_t bytes = files_.capacity() * sizeof(std::string);
  for (const std::string& file : files_) bytes += file.capacity();
  return {bytes};
}

void FileList::load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const {
  try {
    decoder.decode_file(files_[index], image_of(target), filter);
  } catch (const Error& error) {
    const std::scoped_lock lock(mutex_);
    on_unreadable_(error.what());
    throw;
  }
}

}  // namespace millrace::apps
