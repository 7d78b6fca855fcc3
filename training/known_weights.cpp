#include <millrace/training/known_weights.h>

#include <millrace/core/error.h>
#include <millrace/io/sha256.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/embedded_texts.h>

#include <algorithm>
#include <cmath>
#include <sstream>

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

const KnownWeights* known_file(const std::filesystem::path& path) {
  constexpr double kMebibyte = 1 << 20, kRounding = 0.00051;
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  if (error) return nullptr;
  const double size = static_cast<double>(bytes) / kMebibyte;
  std::string hash;
  for (const KnownWeights& row : known_weights()) {
    if (std::abs(row.mebibytes - size) > kRounding) continue;
    if (hash.empty()) hash = sha256_of_file(path);
    if (hash.starts_with(row.hash)) return &row;
  }
  return nullptr;
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
