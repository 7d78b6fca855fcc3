#include "apps/file_list.h"

#include <millrace/core/error.h>
#include <millrace/image/image.h>
#include <millrace/io/class_folder.h>
#include <millrace/io/decode.h>

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
  std::vector<std::string> pictures;
  std::error_code error;
  fs::recursive_directory_iterator entries(folder, error);
  for (; !error && entries != fs::recursive_directory_iterator(); entries.increment(error)) {
    const std::string name = entries->path().filename().string();
    std::error_code ignored;
    if (name.starts_with('.'))
      entries.disable_recursion_pending();
    else if (is_picture_name(name) && entries->is_regular_file(ignored))
      pictures.push_back(entries->path().string());
  }
  if (error) {
    found.problems.push_back(concat(folder, ": cannot be listed: ", error.message()));
  } else if (pictures.empty()) {
    found.problems.push_back(concat(folder, ": no pictures in this folder"));
  }
  std::sort(pictures.begin(), pictures.end());
  found.files.insert(found.files.end(), pictures.begin(), pictures.end());
}

std::vector<std::string> matches_of(const std::string& pattern) {
  glob_t matches{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&matches, ::globfree);
  if (::glob(pattern.c_str(), 0, nullptr, &matches) != 0) return {};
  return {matches.gl_pathv, matches.gl_pathv + matches.gl_pathc};
}

void add_path(const std::string& path, FoundFiles& found) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored))
    add_folder(path, found);
  else
    found.files.push_back(path);
}

}  // namespace

FoundFiles find_files(const std::vector<std::string>& paths) {
  FoundFiles found;
  for (const std::string& path : paths) {
    std::error_code ignored;
    if (path.find_first_of("*?[") == std::string::npos || fs::exists(path, ignored)) {
      add_path(path, found);
      continue;
    }
    const std::vector<std::string> matches = matches_of(path);
    if (matches.empty()) found.problems.push_back(concat(path, ": matches no file"));
    for (const std::string& match : matches) add_path(match, found);
  }
  return found;
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
