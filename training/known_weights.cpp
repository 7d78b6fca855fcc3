#include <millrace/training/known_weights.h>

#include <millrace/core/error.h>
#include <millrace/io/sha256.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/embedded_texts.h>

#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <map>
#include <mutex>
#include <sstream>
#include <tuple>

namespace millrace {
namespace {

std::vector<KnownWeights> read_table() {
  std::vector<KnownWeights> rows;
  std::istringstream lines(kKnownWeightsText);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream columns(line);
    KnownWeights row;
    std::string classes, url, member;
    columns >> row.name >> row.model >> row.hash >> row.mebibytes >> row.pixels >> classes >>
        row.maker >> row.licence >> url >> member;
    MILLRACE_CHECK(!columns.fail(), "known_weights.txt: ", line);
    // Keras's load_img resizes by the nearest pixel unless it is told otherwise.
    if (const std::size_t slash = row.pixels.find('/'); slash != std::string::npos) {
      row.filter = row.pixels.substr(slash + 1);
      row.pixels.resize(slash);
    }
    row.is_of_imagenet = classes == "imagenet";
    row.file = std::filesystem::path(member == "-" ? url : member).filename().string();
    rows.push_back(std::move(row));
  }
  return rows;
}

bool has_md5(const KnownWeights& row) {
  return row.hash.starts_with("md5:");
}

/// That of a published file takes seconds, and a run asks for it several times.
std::string hash_of(const std::filesystem::path& path) {
  using State = std::tuple<dev_t, ino_t, off_t, std::time_t, long>;
  static std::mutex mutex;
  static std::map<State, std::string> hashes;
  struct stat now {};
  if (::stat(path.c_str(), &now) != 0) return sha256_of_file(path);  // throws
  const State state{now.st_dev, now.st_ino, now.st_size, now.st_ctim.tv_sec, now.st_ctim.tv_nsec};
  const std::lock_guard lock(mutex);
  if (const auto found = hashes.find(state); found != hashes.end()) return found->second;
  std::string hash = sha256_of_file(path);
  // One that has just been written may be written again before the file's clock moves.
  constexpr std::time_t kSeconds = 2;
  if (std::time(nullptr) - now.st_ctim.tv_sec > kSeconds) hashes.emplace(state, hash);
  return hash;
}

}  // namespace

std::span<const KnownWeights> known_weights() {
  static const std::vector<KnownWeights> rows = read_table();
  return rows;
}

const KnownWeights* find_known_weights(std::string_view name) {
  const std::span<const KnownWeights> rows = known_weights();
  const auto found = std::find_if(rows.begin(), rows.end(),
                                  [&](const KnownWeights& row) { return row.name == name; });
  return found == rows.end() ? nullptr : &*found;
}

const KnownWeights* known_file(const std::filesystem::path& path,
                               std::span<const KnownWeights> rows) {
  constexpr double kMebibyte = 1 << 20, kRounding = 0.00051;
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return nullptr;
  const double size = static_cast<double>(bytes) / kMebibyte;
  std::string hash;
  for (const KnownWeights& row : rows) {
    if (has_md5(row) || std::abs(row.mebibytes - size) > kRounding) continue;
    if (hash.empty()) hash = hash_of(path);
    if (hash.starts_with(row.hash)) return &row;
  }
  return nullptr;
}

void check_known_file(const std::filesystem::path& path, const KnownWeights& row) {
  if (has_md5(row) || hash_of(path).starts_with(row.hash)) return;
  throw Error(concat(
      path.string(), ": not ", row.maker, "'s weights of ", row.model, ", which --weights ",
      row.name, " means; delete it, then 'scripts/fetch-weights ", row.name, "' fetches them"));
}

nn::Preprocessing preprocessing_of(const KnownWeights& weights) {
  nn::Preprocessing result{.scale = 1, .mean = {127, 127, 127}, .deviation = {128, 128, 128}};
  if (weights.pixels != "lite") result = nn::preprocessing_named(weights.pixels);
  if (!weights.filter.empty()) result.filter = weights.filter;
  return result;
}

std::vector<std::string> imagenet_classes() {
  std::vector<std::string> names;
  std::istringstream lines(kImagenetClassesText);
  for (std::string line; std::getline(lines, line);) names.push_back(line);
  return names;
}

}  // namespace millrace
