#include <millrace/cpu/timings.h>

#include <millrace/core/error.h>
#include <millrace/cpu/onednn.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>

namespace millrace::cpu {
namespace {

using nlohmann::json;
constexpr const char* kFormat = "millrace timings 2";

/// The name alone does not tell processors apart: virtual machines shorten it.
std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string name;
  std::string numbers;
  for (std::string line; std::getline(file, line) && !line.empty();) {
    const std::string value = line.substr(std::min(line.find(':') + 2, line.size()));
    if (line.starts_with("model name")) name = value;
    for (const char* field : {"cpu family", "model\t", "stepping"}) {
      if (line.starts_with(field)) numbers += (numbers.empty() ? "" : "-") + value;
    }
  }
  return concat(name, ' ', numbers);
}

/// {"format": ..., "timings": {owner: {operation: {way: microseconds}}}}, or null.
json read(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) return {};
  json content = json::parse(in, nullptr, false);
  const bool is_ours = content.is_object() && content.value("format", json()) == kFormat &&
                       content.contains("timings") && content["timings"].is_object();
  return is_ours ? content : json();
}

json file_of(const std::string& owner, const std::map<std::string, Ways>& operations) {
  return {{"format", kFormat}, {"timings", {{owner, operations}}}};
}

void read_into(std::map<std::string, Ways>& operations, const json& all) {
  if (!all.is_object()) return;
  for (const auto& [operation, ways] : all.items()) {
    if (!ways.is_object()) continue;
    Ways& known = operations[operation];
    for (const auto& [way, time] : ways.items()) {
      if (time.is_number()) known[way] = time.get<double>();
    }
  }
}

void write_anew(const std::filesystem::path& file, const json& content) {
  const std::filesystem::path part = file.string() + ".part." + std::to_string(getpid());
  std::error_code error;
  bool is_written = false;
  {
    std::ofstream out(part);
    out << content.dump(1) << '\n';
    is_written = static_cast<bool>(out.flush());
  }
  if (is_written) std::filesystem::rename(part, file, error);
  if (!is_written || error) std::filesystem::remove(part, error);
}

/// Keeps other processes from measuring at the same time, which would disturb both. A lock that
/// cannot be had is done without.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file) {
    if (file.empty()) return;
    std::error_code ignored;
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path(), ignored);
    file_ = ::open((file.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file_ >= 0) (void)::flock(file_, LOCK_EX);
  }
  ~FileLock() {
    if (file_ >= 0) ::close(file_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace

Timings::Timings(TimingFiles files, int threads)
    : files_(std::move(files)),
      owner_(concat(processor(), ", ", onednn::instruction_set(), ", ", threads,
                    threads == 1 ? " thread" : " threads", ", oneDNN ", onednn::version())) {
  const json content = read(files_.given);
  if (!content.is_null()) {
    for (const json& of_owner : content["timings"]) read_into(operations_, of_owner);
  }
  if (!are_final()) read_kept();
}

void Timings::read_kept() {
  const json content = read(files_.kept);
  if (content.is_null()) return;
  Operations kept;
  read_into(kept, content["timings"].value(owner_, json()));
  operations_.merge(kept);  // what is there already wins
}

Ways Timings::known(const std::string& operation) const {
  const auto it = operations_.find(operation);
  return it == operations_.end() ? Ways() : it->second;
}

Ways Timings::find(const std::string& operation, const std::function<bool(const Ways&)>& suffices,
                   const Measure& measure) {
  const std::lock_guard lock(mutex_);
  if (!suffices(known(operation)) && measure && !are_final()) {
    const FileLock others(files_.kept);
    read_kept();
    if (!suffices(known(operation))) {
      operations_[operation] = measure(known(operation));
      write_kept(operation);
    }
  }
  Ways ways = known(operation);
  if (!ways.empty()) used_.insert(operation);
  return ways;
}

void Timings::write_kept(const std::string& operation) const {
  if (files_.kept.empty()) return;
  json content = read(files_.kept);
  if (content.is_null()) content = {{"format", kFormat}, {"timings", json::object()}};
  json& ours = content["timings"][owner_];
  if (!ours.is_object()) ours = json::object();
  ours[operation] = operations_.at(operation);
  write_anew(files_.kept, content);
}

std::string Timings::used() const {
  const std::lock_guard lock(mutex_);
  if (used_.empty()) return {};
  Operations all;
  for (const std::string& operation : used_) all[operation] = operations_.at(operation);
  return file_of(owner_, all).dump(1) + '\n';
}

}  // namespace millrace::cpu
