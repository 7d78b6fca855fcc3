#include <millrace/nodes/add_decoding.h>

#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/standardize.h>

#include <utility>

namespace millrace {

Stream<Lease<HostBatch>> add_decoding(Pipeline& p, Stream<Ticket> tickets,
                                      std::shared_ptr<const Dataset> training,
                                      std::shared_ptr<const Dataset> validation,
                                      const DecodingOptions& o) {
  DecoderOptions decoder = o.decoder;
  decoder.exif_orientation = o.preprocessing.exif_orientation;
  decoder.background = o.preprocessing.background;
  auto samples =
      p.then(tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = o.on_bad_image},
             DecodeInto(std::move(training), std::move(validation),
                        filter_from_name(o.preprocessing.filter), std::move(decoder), o.lost));
  return add_batching(p, samples, o);
}

Stream<Lease<HostBatch>> add_batching(Pipeline& p, Stream<Ticket> samples,
                                      const DecodingOptions& o) {
  if (o.augment) {
    samples = p.then(samples, {.name = "augment", .concurrency = kAllThreads},
                     Augment(*o.augment, o.seed, o.sample));
  }
  if (nn::needs_whole_samples(o.preprocessing)) {
    charge_whitening(p, o.preprocessing);
    samples = p.then(samples, {.name = "standardize", .concurrency = kAllThreads},
                     Standardize(o.preprocessing, o.sample));
  }
  return p.then(p.gather(samples), {.name = "batch"}, Batcher{});
}

Stream<Lease<HostBatch>> add_decoding(Pipeline& p, const Pool<HostBatch>& host,
                                      DirectoryReader reader, const DecodingOptions& o) {
  std::shared_ptr<const Dataset> training = reader.training().dataset;
  std::shared_ptr<const Dataset> validation = reader.validation().dataset;
  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  return add_decoding(p, tickets, std::move(training), std::move(validation), o);
}

void charge_indexes(Pipeline& p, const SampleSet& training, const SampleSet& validation) {
  p.charge("index", 1, training.dataset->index_bytes());
  if (validation.size() > 0 && validation.dataset != training.dataset) {
    p.charge("validation index", 1, validation.dataset->index_bytes());
  }
}

void charge_reading(Pipeline& p, const DirectoryReader& reader, const LostSamples* lost) {
  charge_indexes(p, reader.training(), reader.validation());
  p.charge("order of samples", 1, reader.bytes());
  if (lost != nullptr) p.charge("samples that are left out", 1, lost->bytes());
}

}  // namespace millrace
