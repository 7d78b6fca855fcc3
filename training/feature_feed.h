#pragma once
// Feeds a training run with what its frozen layers make of the samples: they are computed once, by
// evaluating those layers over the data in order, and from then on a step costs the rest of the
// model alone. The executor that takes these batches is nn::HeadExecutor.

#include <millrace/nn/frozen_front.h>
#include <millrace/nn/head_executor.h>
#include <millrace/training/feature_store.h>
#include <millrace/training/feed.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace {

/// The features of a run, and which row belongs to a sample.
struct KeptFeatures {
  FeatureLayout layout;
  /// By phase and number in the data set: the place in the phase's set of samples.
  std::array<std::vector<std::uint32_t>, 2> positions;
  std::shared_ptr<FeatureStore> store;  ///< null before they are computed
};

/// A source over a pool of float32 batches of features: the batches of a DirectoryReader. Samples
/// without features, which could not be read, are holes, which are closed already.
class FeatureReader {
 public:
  FeatureReader(DirectoryReader reader, std::shared_ptr<const KeptFeatures> features);
  bool operator()(Lease<HostBatch> slot, Emit<Lease<HostBatch>>& emit);

 private:
  void fill(HostBatch& batch) const;

  DirectoryReader reader_;
  std::shared_ptr<const KeptFeatures> features_;
};

struct FeatureFeedOptions {
  nn::FrozenFront front;
  FeaturePrecision precision = FeaturePrecision::fp32;
  bool in_file = false;  ///< else in memory
};

class FeatureFeed final : public Feed {
 public:
  /// Features of all samples of the run, of each as many as AugmentOptions::views, or one; takes no
  /// memory yet. Throws what compile() throws.
  FeatureFeed(FeedOptions options, FeatureFeedOptions features);

  /// Whose weights the front has, and which takes the batches. Before anything is loaded or added.
  void feed_to(std::shared_ptr<const nn::HeadExecutor> head) { head_ = std::move(head); }
  /// Throws BudgetError where computing the features takes more than the budget.
  void check_loading() const;

  [[nodiscard]] const char* name() const noexcept override { return "features"; }
  [[nodiscard]] std::string to_load() const override { return "what the frozen layers give"; }
  [[nodiscard]] bool needs_weights() const override { return true; }
  void keep_in(const std::filesystem::path& run) override;
  /// Computes the features, unless a file has them already, of the same data, weights and options.
  Report load(const Watch& watch) override;
  void unload() override { kept_->store.reset(); }
  /// "190 samples, 1,280 numbers each in fp32, 950 KiB in memory"
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string remark() const override;
  Stream<Lease<HostBatch>> add(Pipeline& pipeline, const FeedStart& from = {}) const override;
  [[nodiscard]] UploadOptions upload() const override;
  [[nodiscard]] std::vector<Budget::Charge> device_memory(std::int64_t batch) const override;

  /// What is kept, and where, before it is computed: "'features.28' and before computed once: ..."
  [[nodiscard]] std::string plan() const;
  /// "190 samples, 1,280 numbers each in fp32, 950 KiB"
  [[nodiscard]] std::string amount() const;

 private:
  using Keep = std::function<void(const Lease<DeviceBatch>&)>;
  /// Evaluates the front over the samples as they are in one view; the last one has validation.
  Pipeline loading(std::uint32_t view, Keep keep) const;
  Report compute(const Watch& watch);
  [[nodiscard]] std::string place() const;
  [[nodiscard]] DeviceBatchFactory feature_batches(std::int64_t batch) const;
  [[nodiscard]] Bytes memory() const;
  [[nodiscard]] std::filesystem::path file() const;
  [[nodiscard]] Metadata origin() const;

  FeatureFeedOptions features_;
  std::shared_ptr<nn::Executor> front_;
  std::shared_ptr<const nn::HeadExecutor> head_;
  std::shared_ptr<KeptFeatures> kept_;
  std::filesystem::path run_;
  bool is_reused_ = false;
  std::string why_anew_;
};

}  // namespace millrace
