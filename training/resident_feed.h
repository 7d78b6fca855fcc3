#pragma once
// Feeds a training run from the memory of a device: the samples are decoded once, before the first
// epoch, and stay there; training then reads nothing, and takes many steps in one launch
// (resident.h).

#include <millrace/training/feed.h>
#include <millrace/training/resident.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace {

struct ResidentFeedOptions {
  bool one_step_at_a_time = false;     ///< where something acts between any two steps
  std::vector<std::uint64_t> stops{};  ///< see ResidentOptions
};

class ResidentFeed final : public Feed {
 public:
  /// For all samples of the run; takes no memory yet. Augmentation runs on
  /// the device, newly in each epoch. Throws UsageError for an engine without its own memory, for
  /// augmentation other than flips and the padded crop, and for any if the preprocessing
  /// needs whole samples.
  explicit ResidentFeed(FeedOptions options, ResidentFeedOptions resident = {});

  [[nodiscard]] const char* name() const noexcept override { return "resident"; }
  [[nodiscard]] std::string to_load() const override { return "the data into the GPU's memory"; }
  /// Takes the device memory, decodes all samples and leaves them there.
  Report load(const Watch& watch) override;
  /// "60,000 samples, 44.9 MiB in the GPU's memory"
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string remark() const override;
  /// Batches of rows, over a pool of slots without pixels.
  Stream<Lease<HostBatch>> add(Pipeline& pipeline, const FeedStart& from = {}) const override;
  [[nodiscard]] UploadOptions upload() const override;
  [[nodiscard]] std::uint32_t steps_together() const override;
  /// 50 steps may be one batch, which should not be waited for alone.
  [[nodiscard]] std::int64_t steps_between_results() const override { return 200; }
  [[nodiscard]] std::vector<Budget::Charge> device_memory(std::int64_t batch) const override;
  [[nodiscard]] std::string memory_advice() const override { return ", or leave --resident out"; }

  [[nodiscard]] const ResidentData& data() const noexcept { return *data_; }

 private:
  [[nodiscard]] DeviceBatchFactory resident_batches(std::int64_t batch, std::uint32_t steps) const;
  [[nodiscard]] std::uint32_t steps_together(std::int64_t batch) const;
  [[nodiscard]] AugmentOptions moves() const;
  [[nodiscard]] std::int64_t samples() const noexcept;
  [[nodiscard]] Bytes row_bytes() const;

  ResidentFeedOptions resident_;
  std::shared_ptr<ResidentData> data_;
};

/// Throws UsageError for what resident samples cannot go with, as the constructor does, before a
/// model is there.
void check_resident(bool has_own_memory, const AugmentOptions& augment);

}  // namespace millrace
