#pragma once
// Samples that stay in a device's memory: they are decoded once, and from then on batches name them
// by their rows there. Nothing more is read, decoded or copied, so one batch may hold several
// training steps.
//
//   auto data = std::make_shared<ResidentData>(engine->resident_pixels(shape, DType::u8, samples));
//   data->pixels->allocate();
//   load.sink(batches, {.name = "keep"}, KeepResident(data));  // one epoch, in any order
//   load.run();
//   auto slots = p.pool<HostBatch>("host", 3, ReplaySlotFactory{batch_factory});
//   auto fed = p.source({.name = "list"}, slots, ResidentReader(reader, data, {.steps = 20}));
//   // device batches: DeviceBatchFactory{.capacity = 20 * batch, .resident = data->pixels, ...}

#include <millrace/nn/device_input.h>
#include <millrace/nodes/directory_reader.h>

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

namespace millrace {

/// Where the samples of a run lie.
struct ResidentData {
  explicit ResidentData(std::shared_ptr<nn::ResidentPixels> memory) : pixels(std::move(memory)) {}

  static constexpr std::uint32_t kNoRow = 0xFFFF'FFFF;
  std::shared_ptr<nn::ResidentPixels> pixels;
  /// By phase and number in the data set: the row of a sample, or kNoRow where it is left out.
  std::array<std::vector<std::uint32_t>, 2> rows;
  std::int64_t size = 0;  ///< rows in use

  [[nodiscard]] std::vector<std::uint32_t>& of(Phase phase) {
    return rows[static_cast<std::size_t>(phase)];
  }
  [[nodiscard]] const std::vector<std::uint32_t>& of(Phase phase) const {
    return rows[static_cast<std::size_t>(phase)];
  }
};

/// A sink of a loading pipeline: appends the samples of each batch.
/// Samples that never come stay left out. Requires: allocate() of the pixels, one batch at a time.
class KeepResident {
 public:
  explicit KeepResident(std::shared_ptr<ResidentData> data);
  static constexpr bool is_serial = true;
  void operator()(const Lease<HostBatch>& batch);

 private:
  std::shared_ptr<ResidentData> data_;
};

struct ResidentOptions {
  std::uint32_t steps = 1;         ///< the most training steps of a batch
  std::uint64_t steps_before = 0;  ///< training steps that were taken before the first batch
  /// A batch ends after a training step whose number is a multiple of one of these, so that
  /// callbacks can act there. Zeros are ignored.
  std::vector<std::uint64_t> stops{};
};

/// A source over a pool of slots without pixels, with room for `steps` batches of the reader: the
/// steps of a DirectoryReader, in its order and with its positions, samples by their rows
/// (HostBatch::index). Samples that are left out are holes, which are closed already.
///
/// A batch holds steps of one phase of one epoch, all but the last of them full (BatchTag::rows),
/// and all of one pass, by their first samples. Validation batches are single.
class ResidentReader {
 public:
  ResidentReader(DirectoryReader reader, std::shared_ptr<const ResidentData> data,
                 ResidentOptions options);
  bool operator()(Lease<HostBatch> slot, Emit<Lease<HostBatch>>& emit);

 private:
  bool read_step();
  void append_step(HostBatch& batch);
  [[nodiscard]] bool may_grow(const HostBatch& batch) const;

  DirectoryReader reader_;
  std::shared_ptr<const ResidentData> data_;
  ResidentOptions options_;
  std::uint64_t steps_;              // training steps up to the last one that was appended
  std::shared_ptr<HostBatch> step_;  // one step, from the first call on
  bool is_read_ = false;             // step_ holds a step that no batch holds yet
};

}  // namespace millrace
