#pragma once
// Feeds a training run from a stream of the program's own (streamed_data.h).

#include <millrace/training/feed.h>
#include <millrace/training/streamed_data.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace millrace {

class StreamFeed final : public Feed {
 public:
  StreamFeed(FeedOptions options, std::shared_ptr<const StreamedData> stream)
      : Feed(std::move(options)), stream_(std::move(stream)) {}

  [[nodiscard]] const char* name() const noexcept override { return "stream"; }
  /// In the run, Error where validation is not as StreamFacts says.
  Stream<Lease<HostBatch>> add(Pipeline& pipeline, const FeedStart& from = {}) const override;
  [[nodiscard]] std::vector<std::int64_t> short_batches() const override { return {}; }
  [[nodiscard]] std::uint64_t updates() const override;

 private:
  [[nodiscard]] EachRowOptions rows() const;

  std::shared_ptr<const StreamedData> stream_;
};

}  // namespace millrace
