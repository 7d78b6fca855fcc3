#include <millrace/training/feature_store.h>

#include <millrace/core/error.h>
#include <millrace/core/half.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace millrace {
namespace {

constexpr const char* kRows = "rows";

/// A tensor of rows: where they begin, and how many.
struct Part {
  const char* name;
  std::uint64_t first, count;
};

std::vector<Part> parts_of(const FeatureLayout& layout) {
  const std::uint64_t training = layout.row(Phase::validation, 0, 0);
  std::vector<Part> parts{{"training", 0, training}};
  if (layout.validation > 0) parts.push_back({"validation", training, layout.validation});
  return parts;
}

const char* dtype_of(const FeatureLayout& layout) {
  return layout.precision == FeaturePrecision::fp16 ? "F16" : "F32";
}

std::string header_of(const FeatureLayout& layout, const Metadata& origin) {
  nlohmann::ordered_json header{{"__metadata__", origin}};
  std::uint64_t begin = 0;
  const auto add = [&](const char* name, const char* dtype, const std::vector<std::uint64_t>& shape,
                       std::uint64_t bytes) {
    header[name] = {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, begin + bytes}}};
    begin += bytes;
  };
  for (const Part& part : parts_of(layout)) {
    add(part.name, dtype_of(layout), {part.count, static_cast<std::uint64_t>(layout.width)},
        part.count * layout.row_bytes());
  }
  add(kRows, "U8", {layout.rows()}, layout.rows());
  std::string text = header.dump();
  text.resize(round_up(text.size(), 8), ' ');
  return text;
}

/// Throws Error unless the file holds what the layout says.
void check_layout(const SafetensorsFile& file, const FeatureLayout& layout) {
  const auto check = [&](const char* name, const char* dtype, const Shape& shape) {
    const SafetensorsFile::Tensor* const tensor = file.find(name);
    if (tensor != nullptr && tensor->dtype == dtype && tensor->shape == shape) return;
    throw Error(concat(file.file().path().string(), ": has no ", name, ' ', dtype, ' ', shape));
  };
  for (const Part& part : parts_of(layout)) {
    check(part.name, dtype_of(layout), {static_cast<std::int64_t>(part.count), layout.width});
  }
  check(kRows, "U8", {static_cast<std::int64_t>(layout.rows())});
}

}  // namespace

std::size_t FeatureLayout::row_bytes() const noexcept {
  const std::size_t each = precision == FeaturePrecision::fp16 ? 2 : sizeof(float);
  return static_cast<std::size_t>(width) * each;
}

FeatureStore::FeatureStore(const FeatureLayout& layout)
    : layout_(layout), is_there_(layout.rows(), 0) {}

void FeatureStore::put(std::uint64_t row, std::span<const float> features) {
  MILLRACE_CHECK(
      row < is_there_.size() && features.size() == static_cast<std::size_t>(layout_.width),
      "features of ", features.size(), " numbers for row ", row, " of ", is_there_.size(),
      " rows of ", layout_.width);
  is_there_[row] = 1;
  if (layout_.precision == FeaturePrecision::fp32) return write(row, std::as_bytes(features));
  halves_.resize(features.size());
  for (std::size_t i = 0; i < features.size(); ++i) {
    halves_[i] = f16_from_float(features[i]);
    if (std::isfinite(features[i]) && !std::isfinite(float_from_f16(halves_[i]))) {
      throw Error(concat("a feature of ", features[i],
                         " is beyond what fp16 holds; give --cache-precision fp32"));
    }
  }
  write(row, std::as_bytes(std::span(halves_)));
}

FeatureMemory::FeatureMemory(const FeatureLayout& layout)
    : FeatureStore(layout), memory_(layout.bytes()) {}

void FeatureMemory::write(std::uint64_t row, std::span<const std::byte> bytes) {
  std::copy(bytes.begin(), bytes.end(), memory_.data() + row * layout_.row_bytes());
}

void FeatureMemory::get(std::uint64_t row, std::span<float> features) const {
  const std::byte* const from = memory_.data() + row * layout_.row_bytes();
  if (layout_.precision == FeaturePrecision::fp32) {
    std::memcpy(features.data(), from, layout_.row_bytes());
    return;
  }
  const auto* const halves = reinterpret_cast<const std::uint16_t*>(from);
  std::transform(halves, halves + features.size(), features.begin(), float_from_f16);
}

FeatureFile::FeatureFile(const std::filesystem::path& path, const FeatureLayout& layout,
                         Metadata origin)
    : FeatureStore(layout), path_(path), written_(std::make_unique<AtomicFile>(path)) {
  const std::string header = header_of(layout, origin);
  const std::uint64_t length = header.size();
  written_->write(std::as_bytes(std::span(&length, 1)));
  written_->write(header);
}

FeatureFile::FeatureFile(const std::filesystem::path& path, const FeatureLayout& layout)
    : FeatureStore(layout), path_(path), file_(std::make_unique<SafetensorsFile>(path)) {
  check_layout(*file_, layout);
  file_->file().read_at(file_->find(kRows)->offset, std::as_writable_bytes(std::span(is_there_)));
}

void FeatureFile::fill_up_to(std::uint64_t row) {
  const std::vector<std::byte> zeros(layout_.row_bytes());
  for (; next_ < row; ++next_) written_->write(zeros);
}

void FeatureFile::write(std::uint64_t row, std::span<const std::byte> bytes) {
  MILLRACE_CHECK(row >= next_, "row ", row, " comes after row ", next_);
  if (row > next_) fill_up_to(row);
  written_->write(bytes);
  ++next_;
}

void FeatureFile::finish() {
  fill_up_to(layout_.rows());
  written_->write(std::as_bytes(std::span(is_there_)));
  written_->commit();
  written_.reset();
  file_ = std::make_unique<SafetensorsFile>(path_);
}

void FeatureFile::get(std::uint64_t row, std::span<float> features) const {
  for (const Part& part : parts_of(layout_)) {
    if (row >= part.first + part.count) continue;
    file_->read(part.name, (row - part.first) * static_cast<std::uint64_t>(layout_.width),
                features);
    return;
  }
}

FoundFeatures find_features(const std::filesystem::path& path, const FeatureLayout& layout,
                            const Metadata& origin) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return {};
  try {
    const SafetensorsFile file(path);
    for (const auto& [name, value] : origin) {
      const auto found = file.metadata().find(name);
      if (found == file.metadata().end() || found->second != value) {
        return {.why_not = concat(path.string(), " is of other ", name)};
      }
    }
    return {.store = std::make_shared<FeatureFile>(path, layout)};
  } catch (const Error& error) {
    return {.why_not = error.what()};
  }
}

}  // namespace millrace
