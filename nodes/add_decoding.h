#pragma once
// From the numbers of samples to batches in host memory: the stages that read, decode, augment and
// gather samples, in one call, for your own graph.
//
//   auto host = p.pool<HostBatch>("host batches", 3, HostBatchFactory{.sample = {150, 150, 3}});
//   DirectoryReader reader(SampleSet::all(photos), {}, {.epochs = 5});
//   auto batches = add_decoding(p, host, reader,
//                               {.sample = {150, 150, 3},
//                                .on_bad_image = skip(),
//                                .augment = AugmentOptions{.horizontal_flip = true}});

#include <millrace/image/augmentation.h>
#include <millrace/io/decode.h>
#include <millrace/nn/model.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/lost_samples.h>
#include <millrace/pipeline/pipeline.h>

#include <cstdint>
#include <memory>
#include <optional>

namespace millrace {

struct DecodingOptions {
  Shape sample;  ///< of the batches: {height, width, channels} or {features}
  /// How images are read: filter, orientation and background. If it looks at whole samples they
  /// leave as the model's input, else as they were decoded and the cast does the rest.
  nn::Preprocessing preprocessing{};
  DecoderOptions decoder{};  ///< bounds; orientation and background are those of `preprocessing`
  OnError on_bad_image = fail();
  std::shared_ptr<LostSamples> lost{};      ///< records each sample; may be null
  std::optional<AugmentOptions> augment{};  ///< of training samples; none: without that stage
  std::uint64_t seed = 0;                   ///< of augmentation
};

/// list - decode - augment - standardize (if the preprocessing looks at whole samples) - batch,
/// over a pool of host batches of nn::host_dtype(). Charges what the stages take; what the data
/// sets keep is for charge_reading(). Throws UsageError or Error as the nodes do.
Stream<Lease<HostBatch>> add_decoding(Pipeline& pipeline, const Pool<HostBatch>& host,
                                      DirectoryReader reader, const DecodingOptions& options);

/// The same after your own source: decode - augment - standardize - batch. `validation` may
/// be null if no batch is of that phase.
Stream<Lease<HostBatch>> add_decoding(Pipeline& pipeline, Stream<Ticket> tickets,
                                      std::shared_ptr<const Dataset> training,
                                      std::shared_ptr<const Dataset> validation,
                                      const DecodingOptions& options);

/// The part of it after decoding, for rows that other stages write (each_row.h):
/// augment - standardize - batch.
Stream<Lease<HostBatch>> add_batching(Pipeline& pipeline, Stream<Ticket> samples,
                                      const DecodingOptions& options);

/// Charges what the data sets keep of their files; `validation` may be empty or of the same one.
void charge_indexes(Pipeline& pipeline, const SampleSet& training, const SampleSet& validation);
/// The same for the reader's data sets, with its order of samples and `lost`, which may be null.
void charge_reading(Pipeline& pipeline, const DirectoryReader& reader, const LostSamples* lost);

}  // namespace millrace
