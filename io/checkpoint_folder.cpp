#include <millrace/io/checkpoint_folder.h>

#include <millrace/io/files.h>

#include <algorithm>
#include <system_error>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kSuffix = ".ckpt";
constexpr std::size_t kDigits = 8;

std::optional<std::uint64_t> step_of(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return {};
  if (name.size() < kPrefix.size() + kDigits + kSuffix.size()) return {};
  name.remove_prefix(kPrefix.size());
  name.remove_suffix(kSuffix.size());
  std::uint64_t step = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), step);
  if (error != std::errc{} || end != name.data() + name.size()) return {};
  return step;
}

// The names that AtomicFile and mark_best() give to files that are not complete.
bool is_unfinished(std::string_view name) {
  return name.ends_with(".tmp") && (name.starts_with(".step-") || name.starts_with(".best.ckpt."));
}

void remove_file(const fs::path& path) {
  std::error_code error;
  fs::remove(path, error);
  if (error) throw Error(concat(path.string(), ": cannot be removed: ", error.message()));
}

}  // namespace

CheckpointFolder::CheckpointFolder(fs::path folder, std::size_t keep)
    : folder_(std::move(folder)), keep_(keep) {}

fs::path CheckpointFolder::file_of(std::uint64_t step) const {
  std::string digits = std::to_string(step);
  digits.insert(0, kDigits - std::min(digits.size(), kDigits), '0');
  return folder_ / concat(kPrefix, digits, kSuffix);
}

std::vector<CheckpointFolder::Entry> CheckpointFolder::list() const {
  std::vector<Entry> entries;
  std::error_code error;
  for (fs::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    if (const auto step = step_of(at->path().filename().string())) {
      entries.push_back({*step, at->path()});
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw Error(concat(folder_.string(), ": cannot be read: ", error.message()));
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.step > b.step; });
  return entries;
}

std::optional<std::uint64_t> CheckpointFolder::best() const {
  std::error_code error;
  const fs::path target = fs::read_symlink(best_file(), error);
  if (error || !fs::exists(best_file(), error)) return {};
  return step_of(target.filename().string());
}

CheckpointFolder::Found CheckpointFolder::last_good() const {
  Found found;
  for (const Entry& entry : list()) {
    try {
      found.checkpoint = read_checkpoint_values(entry.path);
      found.entry = entry;
      return found;
    } catch (const Error& error) {
      found.damaged.emplace_back(error.what());
    }
  }
  return found;
}

void CheckpointFolder::write(std::uint64_t step, const Checkpoint& checkpoint, bool is_best) {
  create_folders(folder_);
  remove_unfinished();
  write_checkpoint(file_of(step), checkpoint);
  if (is_best) mark_best(step);
  remove_all_but_kept(step);
}

void CheckpointFolder::mark_best(std::uint64_t step) {
  const fs::path file = file_of(step);
  if (!fs::exists(file)) throw Error(concat(file.string(), ": is not there to be the best"));
  // A link is not replaced in place: a rename leaves the old one or the new one.
  const fs::path beside = folder_ / ".best.ckpt.tmp";
  remove_file(beside);
  std::error_code error;
  fs::create_symlink(file.filename(), beside, error);
  if (!error) fs::rename(beside, best_file(), error);
  if (error) throw Error(concat(best_file().string(), ": cannot be written: ", error.message()));
  flush_folder(folder_);  // before the checkpoint that was the best is deleted
}

void CheckpointFolder::remove_unfinished() const {
  std::vector<fs::path> unfinished;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
    if (is_unfinished(entry.path().filename().string())) unfinished.push_back(entry.path());
  }
  for (const fs::path& path : unfinished) remove_file(path);
}

void CheckpointFolder::remove_all_but_kept(std::uint64_t step) const {
  const std::optional<std::uint64_t> best_step = best();
  std::size_t kept = 0;
  for (const Entry& entry : list()) {
    const bool is_recent = entry.step <= step && (keep_ == 0 || kept < keep_);
    if (is_recent) ++kept;
    if (!is_recent && entry.step != best_step) remove_file(entry.path);
  }
}

}  // namespace millrace
