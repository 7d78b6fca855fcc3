#pragma once
// Reads, decodes and rescales the samples of a ticket straight into their rows of the batch.

#include <millrace/image/filter.h>
#include <millrace/io/dataset.h>
#include <millrace/io/decode.h>
#include <millrace/nodes/host_batch.h>
#include <millrace/nodes/lost_samples.h>
#include <millrace/pipeline/stage.h>

#include <cstdint>
#include <memory>
#include <string>

namespace millrace {

/// How much memory decoding may take, for the decoders of one pipeline: each of `threads` (0: the
/// cores one may use) has up to 32 MiB for a file and 32 MiB for an image, within a sixteenth of
/// the budget; what is larger takes turns for a sixteenth (files) and three sixteenths (images) of
/// it, or for as much as an image of `max_pixels` takes. Without a budget (0): DecoderOptions' own.
[[nodiscard]] DecoderOptions decoders_within(Bytes budget, int threads,
                                             std::uint64_t max_pixels = kMaxImagePixels);

/// A node: Ticket -> the same Ticket. A sample that cannot be decoded becomes a hole (valid stays
/// 0) under skip(), and ends the run under fail(); its neighbours are not lost with it. `lost`,
/// which may be null, records each sample. Images in float32 batches are the decoded bytes,
/// 0..255, as floats.
///
/// Each copy has a decoder of its own; scratch() is the most that one holds. Large images take
/// turns for what DecoderOptions::large has: a call may then wait for others, which wait for
/// none.
class DecodeInto {
 public:
  DecodeInto(std::shared_ptr<const Dataset> training, std::shared_ptr<const Dataset> validation,
             Filter filter, DecoderOptions options = {},
             std::shared_ptr<LostSamples> lost = nullptr);

  static constexpr bool writes_in_place = true;
  Ticket operator()(const Ticket& ticket, Context& context);
  /// The file that a call is busy with, for the watch over stalled runs.
  [[nodiscard]] std::string part_name(std::uint64_t part) const;
  [[nodiscard]] Bytes scratch() const noexcept;
  /// What the decoders of all copies share.
  [[nodiscard]] Bytes shared_scratch() const noexcept;

 private:
  [[nodiscard]] bool decodes() const noexcept;
  [[nodiscard]] const Dataset& dataset(Phase phase) const noexcept {
    return phase == Phase::training ? *training_ : *validation_;
  }
  std::shared_ptr<const Dataset> training_, validation_;
  Filter filter_;
  DecoderOptions options_;
  std::shared_ptr<LostSamples> lost_;
  Decoder decoder_;
};

}  // namespace millrace
