#pragma once
// Feeds a training run with its first batches over and over, to measure training without the input
// (replay.h). There is no validation.

#include <millrace/training/feed.h>
#include <millrace/training/replay.h>

#include <cstdint>
#include <memory>
#include <string>

namespace millrace {

class ReplayFeed final : public Feed {
 public:
  /// Replays this many batches. Throws UsageError if an epoch has fewer.
  ReplayFeed(FeedOptions options, std::uint32_t batches);

  [[nodiscard]] const char* name() const noexcept override { return "replay"; }
  [[nodiscard]] std::string to_load() const override { return "the batches to replay"; }
  Report load(const Watch& watch) override;
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string remark() const override;
  /// The memory of the kept batches is in the charges.
  Stream<Lease<HostBatch>> add(Pipeline& pipeline, const FeedStart& from = {}) const override;

 private:
  std::uint32_t batches_;
  std::shared_ptr<KeptBatches> kept_ = std::make_shared<KeptBatches>();
};

}  // namespace millrace
