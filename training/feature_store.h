#pragma once
// Rows of features that are written once and read over and over: in memory, or in a file.

#include <millrace/core/buffer.h>
#include <millrace/io/files.h>
#include <millrace/io/safetensors.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/training/train_spec.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// Which rows there are: for each view one of every training sample, then those of validation.
struct FeatureLayout {
  std::int64_t width = 0;  ///< numbers of a row
  std::uint32_t training = 0, validation = 0;
  std::uint32_t views = 1;
  FeaturePrecision precision = FeaturePrecision::fp32;

  [[nodiscard]] std::uint64_t rows() const noexcept {
    return std::uint64_t{training} * views + validation;
  }
  /// Of the sample that is the `position`-th of its set; validation has one view.
  [[nodiscard]] std::uint64_t row(Phase phase, std::uint32_t view,
                                  std::uint32_t position) const noexcept {
    const bool is_training = phase == Phase::training;
    return std::uint64_t{training} * (is_training ? view : views) + position;
  }
  [[nodiscard]] std::size_t row_bytes() const noexcept;
  [[nodiscard]] Bytes bytes() const noexcept { return {rows() * row_bytes()}; }
};

/// Written by one thread, then read by any.
class FeatureStore {
 public:
  explicit FeatureStore(const FeatureLayout& layout);
  virtual ~FeatureStore() = default;
  FeatureStore(const FeatureStore&) = delete;
  FeatureStore& operator=(const FeatureStore&) = delete;

  [[nodiscard]] const FeatureLayout& layout() const noexcept { return layout_; }
  /// Rows come in ascending order; those that never come are not there. Throws Error for a number
  /// that fp16 does not hold, and as files do.
  void put(std::uint64_t row, std::span<const float> features);
  /// No further row comes.
  virtual void finish() = 0;
  /// Requires: finish().
  [[nodiscard]] bool has(std::uint64_t row) const { return is_there_[row] != 0; }
  /// Requires: has(row).
  virtual void get(std::uint64_t row, std::span<float> features) const = 0;

 protected:
  virtual void write(std::uint64_t row, std::span<const std::byte> bytes) = 0;

  FeatureLayout layout_;
  std::vector<std::uint8_t> is_there_;

 private:
  std::vector<std::uint16_t> halves_;
};

/// All in memory, layout.bytes() of it.
class FeatureMemory final : public FeatureStore {
 public:
  /// Throws std::bad_alloc.
  explicit FeatureMemory(const FeatureLayout& layout);
  void finish() override {}
  void get(std::uint64_t row, std::span<float> features) const override;

 private:
  void write(std::uint64_t row, std::span<const std::byte> bytes) override;

  Buffer memory_;
};

/// In a safetensors file: "training" [views * samples][width], "validation" [samples][width], and
/// "rows", 1 for each of both that is there. It appears under its name with finish().
class FeatureFile final : public FeatureStore {
 public:
  /// To be written. `origin` says what the features depend on. Throws Error (disk).
  FeatureFile(const std::filesystem::path& path, const FeatureLayout& layout, Metadata origin);
  /// One that was written. Throws Error unless it has this layout.
  FeatureFile(const std::filesystem::path& path, const FeatureLayout& layout);
  void finish() override;
  void get(std::uint64_t row, std::span<float> features) const override;

 private:
  void write(std::uint64_t row, std::span<const std::byte> bytes) override;
  void fill_up_to(std::uint64_t row);

  std::filesystem::path path_;
  std::unique_ptr<AtomicFile> written_;
  std::uint64_t next_ = 0;  // row of written_
  std::unique_ptr<SafetensorsFile> file_;
};

/// The features of a file, or in what it differs from what is asked for: "other weights"; both are
/// empty where there is no file.
struct FoundFeatures {
  std::shared_ptr<FeatureStore> store{};
  std::string why_not{};
};
/// `origin`: as the file was written with; values are compared, keys say what they are.
[[nodiscard]] FoundFeatures find_features(const std::filesystem::path& path,
                                          const FeatureLayout& layout, const Metadata& origin);

}  // namespace millrace
