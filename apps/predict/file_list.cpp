#include "apps/predict/file_list.h"

#include <millrace/core/error.h>
#include <millrace/image/image.h>
#include <millrace/io/decode.h>
#include <millrace/io/image_walk.h>
#include <millrace/io/shard_files.h>
#include <millrace/io/tar_shards.h>

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
  const std::vector<std::string> unreadable = left_out.lines(LeftOutReason::unreadable);
  found.problems.insert(found.problems.end(), unreadable.begin(), unreadable.end());
  if (images.empty()) {
    LeftOut beside;
    for (const fs::path& shard : shards_in(folder, beside)) images.push_back(shard.string());
    if (!images.empty()) left_out = std::move(beside);
  }
  found.left_out.add(left_out);
  if (images.empty() && unreadable.empty()) {
    found.problems.push_back(concat(folder, ": no images in this folder"));
  }
  std::sort(images.begin(), images.end());
  found.files.insert(found.files.end(), images.begin(), images.end());
}

std::vector<fs::path> matches_of(const std::string& pattern, LeftOut& left_out) {
  glob_t matches{};
  const std::unique_ptr<glob_t, void (*)(glob_t*)> owner(&matches, ::globfree);
  if (::glob(pattern.c_str(), 0, nullptr, &matches) != 0) return {};
  return each_shard_once({matches.gl_pathv, matches.gl_pathv + matches.gl_pathc}, left_out);
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

std::shared_ptr<const Dataset> open_shard(const std::string& file, FoundFiles& found) {
  auto shard =
      std::make_shared<TarShards>(file, std::vector<fs::path>{file}, Watch{},
                                  TarShards::Options{.needs_labels = false, .skips_damage = true});
  found.left_out.add(shard->left_out());
  for (std::string& why : shard->left_out().lines(LeftOutReason::unreadable)) {
    found.problems.push_back(std::move(why));
  }
  return shard;
}

FoundFiles find(const std::vector<std::string>& paths, AddFolder& add_folder) {
  FoundFiles found;
  for (const std::string& path : paths) {
    std::error_code ignored;
    const bool is_there = fs::exists(path, ignored);
    if (!is_there && path.find('{') != std::string::npos) {
      const std::vector<fs::path> shards = shards_matching(path, found.left_out);
      for (const fs::path& shard : shards) found.files.push_back(shard.string());
      if (!shards.empty()) continue;
    }
    if (path.find_first_of("*?[") == std::string::npos || is_there) {
      add_path(path, add_folder, found);
      continue;
    }
    const std::vector<fs::path> matches = matches_of(path, found.left_out);
    if (matches.empty()) found.problems.push_back(concat(path, ": matches no file"));
    for (const fs::path& match : matches) add_path(match.string(), add_folder, found);
  }
  return found;
}

}  // namespace

FoundFiles find_files(const std::vector<std::string>& paths) {
  FoundFiles found = find(paths, add_folder);
  std::vector<std::string> files;
  for (std::string& file : found.files) {
    if (is_shard_name(file)) {
      try {
        found.shards.emplace(files.size(), open_shard(file, found));
      } catch (const Error& error) {
        found.problems.emplace_back(error.what());
        continue;
      }
    }
    files.push_back(std::move(file));
  }
  found.files = std::move(files);
  return found;
}

FoundFiles find_tables(const std::vector<std::string>& paths) {
  return find(paths, refuse_folder);
}

FileList::FileList(FoundFiles found, Unreadable on_unreadable)
    : files_(std::move(found.files)),
      shards_(std::move(found.shards)),
      on_unreadable_(std::move(on_unreadable)) {
  for (std::uint32_t file = 0; file < files_.size(); ++file) {
    const Dataset* const shard = shard_of({file, 0});
    const std::uint32_t count = shard == nullptr ? 1 : shard->size();
    for (std::uint32_t i = 0; i < count; ++i) samples_.push_back({file, i});
  }
}

const Dataset* FileList::shard_of(const Sample& sample) const {
  const auto found = shards_.find(sample.file);
  return found == shards_.end() ? nullptr : found->second.get();
}

std::string FileList::name(std::uint32_t index) const {
  const Sample& sample = samples_.at(index);
  const Dataset* const shard = shard_of(sample);
  return shard == nullptr ? files_[sample.file] : shard->name(sample.in_shard);
}

Bytes FileList::index_bytes() const noexcept {
  std::size_t bytes =
      files_.capacity() * sizeof(std::string) + samples_.capacity() * sizeof(Sample);
  for (const std::string& file : files_) bytes += file.capacity();
  for (const auto& [file, shard] : shards_) bytes += shard->index_bytes().count;
  return {bytes};
}

void FileList::load(std::uint32_t index, TensorView target, Filter filter, Decoder& decoder) const {
  try {
    const Sample& sample = samples_.at(index);
    if (const Dataset* const shard = shard_of(sample)) {
      shard->load(sample.in_shard, target, filter, decoder);
    } else {
      decoder.decode_file(files_[sample.file], image_of(target), filter);
    }
  } catch (const Error& error) {
    const std::scoped_lock lock(mutex_);
    on_unreadable_(error.what());
    throw;
  }
}

}  // namespace millrace::apps
