#include <millrace/training/run_directory.h>

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>
#include <millrace/core/shell_text.h>
#include <millrace/io/files.h>
#include <millrace/io/run_marker.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <ios>
#include <iterator>
#include <sstream>
#include <utility>

namespace millrace {
namespace {

/// A file of a run in a folder below the run directory. Nothing else there is ever removed.
bool is_file_of_run(const std::filesystem::path& file) {
  return file.extension() == ".ckpt" ||
         file.filename().string().find("tfevents") != std::string::npos;
}

std::vector<std::filesystem::path> files_of_run(const std::filesystem::path& run_dir) {
  std::vector<std::filesystem::path> files;
  for (const char* name : kRunFiles) {
    if (std::filesystem::exists(run_dir / name)) files.push_back(run_dir / name);
  }
  for (const char* folder : kRunFolders) {
    if (!std::filesystem::is_directory(run_dir / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(run_dir / folder)) {
      if (is_file_of_run(entry.path())) files.push_back(entry.path());
    }
  }
  return files;
}

constexpr const char* kColumns =
    "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,samples,left_out,images_per_s,seconds";

FileLock lock_of(const std::filesystem::path& run, OldRun old) {
  try {
    return FileLock(run / kRunMarker);
  } catch (const Error& error) {
    if (old == OldRun::resume) throw;
    throw Error(concat(error.what(), "; choose another --run-dir"));
  }
}

/// The marker of the folder, which is made unless a run is to be there.
FileLock locked(const std::filesystem::path& run, OldRun old) {
  if (old != OldRun::resume) {
    create_folders(run);
  } else if (!std::filesystem::exists(run / "config.ini")) {
    throw Error(concat(run.string(), ": holds no run to resume (no config.ini)"));
  }
  FileLock lock = lock_of(run, old);
  if (lock.state() == FileLock::State::taken) {
    throw Error(concat(run.string(), ": another process is writing this run; wait until it has ",
                       "ended",
                       old == OldRun::resume ? ", or stop it" : ", or choose another --run-dir"));
  }
  return lock;
}

/// Whether nothing but the marker of a run to come is in the folder, or there is no folder.
bool is_new(const std::filesystem::path& run) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(run, error)) {
    if (entry.path().filename() != kRunMarker) return false;
  }
  return !error || error == std::errc::no_such_file_or_directory;
}

/// The folder and those below it, as far as nothing is in them.
void remove_empty_folders(const std::filesystem::path& folder) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored)) remove_empty_folders(entry.path());
  }
  std::filesystem::remove(folder, ignored);
}

void write_atomically(const std::filesystem::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace

// mkdir(2) says which of several processes made the folder. `runs` itself may go between two calls,
// with the folder of another process that found out that it cannot begin.
NewRunFolder::NewRunFolder(std::filesystem::path parent, std::time_t now)
    : parent_(std::move(parent)) {
  std::tm local{};
  localtime_r(&now, &local);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%d-%H%M%S", &local);
  for (int number = 1;;) {
    create_folders(parent_);
    path_ = parent_ / concat(text.data(), number > 1 ? concat('-', number) : "");
    std::error_code error, ignored;
    if (std::filesystem::create_directory(path_, error)) break;
    const bool is_gone = error == std::errc::no_such_file_or_directory;
    const bool is_taken = !error || std::filesystem::exists(path_, ignored);
    if (!is_gone && !is_taken) {
      throw Error(concat(path_.string(), ": cannot be made: ", error.message(),
                         "; choose another place with --run-dir"));
    }
    if (is_taken) ++number;
  }
  write_file(path_ / kRunMarker, {});  // no class of images, where it was made among these
}

// A folder that holds anything else stays, whoever put it there.
NewRunFolder::~NewRunFolder() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!fs::exists(path_, ignored)) fs::remove(parent_, ignored);  // the run was fruitless
  const auto entries = std::distance(fs::directory_iterator(path_, ignored), {});
  if (ignored || entries > 1 || !fs::remove(path_ / kRunMarker, ignored)) return;
  if (fs::remove(path_, ignored)) fs::remove(parent_, ignored);
}

std::filesystem::path choices_file(const std::filesystem::path& run) {
  return run / "algorithms.json";
}

std::filesystem::path data_file(const std::filesystem::path& run) {
  return run / "data.json";
}

RunDirectory::RunDirectory(std::filesystem::path path, OldRun old, std::size_t keep)
    : path_(std::move(path)),
      is_new_(is_new(path_)),
      lock_(locked(path_, old)),
      checkpoints_(path_ / "checkpoints", keep) {
  if (old != OldRun::resume) {
    const std::vector<std::filesystem::path> files = files_of_run(path_);
    if (!files.empty() && old == OldRun::refuse) {
      const std::string advice =
          checkpoints_.list().empty()
              ? ", or --overwrite it (it has no checkpoint to resume from)"
              : concat(", --overwrite it, or resume it: millrace train --resume ",
                       shell_quoted(path_.native()));
      throw Error(
          concat(path_.string(), ": holds a run already; choose another --run-dir", advice));
    }
    for (const std::filesystem::path& file : files) std::filesystem::remove(file);
    metrics_.open(metrics_file());
    if (!metrics_) {
      throw Error(concat(path_.string(), ": cannot be written: ", std::strerror(errno),
                         "; choose another --run-dir"));
    }
  }
}

void RunDirectory::remove_if_fruitless() {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const bool has_fruit = !epochs_.empty() || !checkpoints_.list().empty() ||
                         fs::exists(model_file(), ignored) ||
                         fs::exists(best_model_file(), ignored);
  if (!is_new_ || has_fruit) return;
  metrics_.close();
  for (const fs::path& file : files_of_run(path_)) fs::remove(file, ignored);
  for (const char* folder : kRunFolders) remove_empty_folders(path_ / folder);
  fs::remove(path_ / kRunMarker, ignored);
  fs::remove(path_, ignored);  // unless something else is in it
}

void RunDirectory::write_config(const std::string& recipe) const {
  write_atomically(config_file(), concat(kConfigStart, shell_quoted(config_file().native()),
                                         " --run-dir OTHER\n", recipe));
}

void RunDirectory::write_choices(const std::string& text) const {
  if (!text.empty()) write_atomically(choices_file(path_), text);
}

void RunDirectory::write_data(const std::string& record) const {
  write_atomically(data_file(path_), record);
}

bool RunDirectory::add_columns(const EpochRecord& record) {
  const std::size_t before = columns_.size();
  for (const auto& [name, value] : record.extra) {
    if (std::find(columns_.begin(), columns_.end(), name) == columns_.end())
      columns_.push_back(name);
  }
  return columns_.size() > before;
}

std::string RunDirectory::head() const {
  std::string text = kColumns;
  for (const std::string& column : columns_) text += ',' + column;
  return text + '\n';
}

std::string RunDirectory::line_of(const EpochRecord& r) const {
  std::ostringstream line;
  line.precision(9);
  const auto put = [&](const char* name) {
    if (const auto value = r.value(name)) line << *value;
    line << ',';
  };
  line << r.epoch + 1 << ',';
  for (const char* name : {"loss", "accuracy", "val_loss", "val_accuracy"}) put(name);
  line << r.learning_rate << ',' << r.training.samples << ',' << r.holes << ','
       << (r.training_s > 0 ? static_cast<double>(r.training.samples) / r.training_s : 0.0) << ','
       << r.seconds;
  for (const std::string& column : columns_) {
    line << ',';
    if (const auto value = r.value(column)) line << *value;
  }
  line << '\n';
  return line.str();
}

/// Beside and renamed: who reads the file never sees half of it.
void RunDirectory::write_epochs() {
  std::string text = epochs_.empty() ? std::string() : head();
  for (const EpochRecord& record : epochs_) text += line_of(record);
  metrics_.close();
  write_atomically(metrics_file(), text);
  metrics_.open(metrics_file(), std::ios::app);
}

void RunDirectory::write_epoch(const EpochRecord& record) {
  epochs_.push_back(record);
  const bool is_wider = add_columns(record);
  if (epochs_.size() == 1) metrics_ << head();
  if (is_wider && epochs_.size() > 1)
    write_epochs();
  else
    metrics_ << line_of(record) << std::flush;
  if (!metrics_) {
    throw Error(concat(metrics_file().string(), ": cannot be written: ", std::strerror(errno)));
  }
}

void RunDirectory::rewrite_epochs(const std::vector<EpochRecord>& history) {
  epochs_ = history;
  columns_.clear();
  for (const EpochRecord& record : epochs_) add_columns(record);
  write_epochs();
}

void RunDirectory::write_report(
    const Report& report, const std::vector<std::pair<std::string, std::string>>& more) const {
  std::string text = report.json();
  text.erase(text.find_last_of('}'));
  for (const auto& [name, json] : more) text += concat(",\n", json_quoted(name), ":", json);
  write_atomically(path_ / "report.json", text + "}\n");
}

}  // namespace millrace
