#include <millrace/io/shard_files.h>

#include <millrace/core/lower_case.h>
#include <millrace/io/detail/named_parts.h>
#include <millrace/io/detail/tar_labels.h>
#include <millrace/io/run_marker.h>
#include <millrace/io/tar_shards.h>

#include <sys/stat.h>
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

using detail::entries_of;
using detail::is_file;
using detail::is_folder;
using detail::last_name;

/// Endings of shards, the sooner the faster they are read. The last ones are not read at all, but
/// are meant as shards, and opening one says what unpacks it.
constexpr std::array<std::string_view, 14> kEndings = {
    ".tar",     ".tar.gz", ".tgz", ".tar.zst", ".tzst",     ".tar.xz", ".txz",
    ".tar.bz2", ".tbz2",   ".tbz", ".tar.lz4", ".tar.lzma", ".tar.lz", ".tar.z"};

std::size_t ending_of(std::string_view name) {
  const std::string small = lower_case(name);
  return static_cast<std::size_t>(
      std::find_if(kEndings.begin(), kEndings.end(),
                   [&](std::string_view ending) { return small.ends_with(ending); }) -
      kEndings.begin());
}

using Identity = std::pair<std::uint64_t, std::uint64_t>;

/// Nothing for a file that is not there; opening it will say so.
std::optional<Identity> identity_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return Identity(status.st_dev, status.st_ino);
}

/// Nobody misses what is in such a folder. One that cannot be listed may hold something.
bool is_empty_folder(const fs::path& path) {
  try {
    return is_folder(path) && entries_of(path).empty();
  } catch (const Error&) {
    return false;
  }
}

/// Which shards were met, by their files and by their names.
class Met {
 public:
  /// The place of one that is the same, or `place`, which it has from now on.
  std::size_t first_of(const fs::path& shard, std::size_t place) {
    const std::string name = shard.lexically_normal().string();
    const std::size_t ending = kEndings.at(ending_of(name)).size();
    std::size_t& named = names_.emplace(name.substr(0, name.size() - ending), place).first->second;
    if (const std::optional<Identity> identity = identity_of(shard)) {
      named = files_.emplace(*identity, named).first->second;
    }
    return named;
  }

 private:
  std::map<std::string, std::size_t> names_;  // without their endings
  std::map<Identity, std::size_t> files_;
};

}  // namespace

bool is_shard_name(std::string_view name) {
  return ending_of(name) < kEndings.size();
}

std::vector<fs::path> each_shard_once(const std::vector<fs::path>& paths, LeftOut& left_out) {
  std::vector<fs::path> kept;
  Met met;
  for (const fs::path& path : paths) {
    const std::size_t ending = ending_of(path.native());
    const std::size_t place =
        ending == kEndings.size() ? kept.size() : met.first_of(path, kept.size());
    if (place == kept.size()) {
      kept.push_back(path);
      continue;
    }
    fs::path other = path;
    if (ending < ending_of(kept[place].native())) std::swap(other, kept[place]);
    left_out.add(LeftOutReason::shard_again, other.native());
  }
  return kept;
}

std::vector<fs::path> shards_in(const fs::path& folder, LeftOut& left_out) {
  std::vector<fs::path> shards, others;
  for (fs::path& path : entries_of(folder)) {
    const bool is_shard = is_shard_name(last_name(path)) && is_file(path);
    (is_shard ? shards : others).push_back(std::move(path));
  }
  if (shards.empty()) return {};  // a folder of something else, maybe a million images
  for (const fs::path& path : others) leave_beside(path, left_out);
  return each_shard_once(shards, left_out);
}

std::vector<fs::path> shards_in(const fs::path& folder) {
  LeftOut unsaid;
  return shards_in(folder, unsaid);
}

void leave_beside(const fs::path& path, LeftOut& left_out) {
  if (last_name(path) == detail::kClassNamesFile || is_empty_folder(path)) return;
  const bool is_run = is_folder(path) && is_run_directory(path);
  left_out.add(is_run ? LeftOutReason::run : LeftOutReason::beside_shards, path.native());
}

}  // namespace millrace
