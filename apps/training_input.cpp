#include "apps/training_input.h"

#include "apps/choose.h"

#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/standardize.h>
#include <millrace/training/class_weights.h>
#include <millrace/training/find_model.h>
#include <millrace/training/label_form.h>

#include <algorithm>
#include <utility>

namespace millrace::apps {
namespace {

// Enough for what surrounds a step not to show beside the shortest ones, and few enough for the
// samples of a batch to stay small beside a GPU's memory.
constexpr std::uint64_t kMostSteps = 50;
constexpr Bytes kMostBytes = 64_MiB;

}  // namespace

OnError bad_image_policy(const TrainSpec& o) {
  if (o.data.on_bad_image == BadImages::fail) return fail();
  return o.data.bad_image_limit == 0 ? skip() : skip(o.data.bad_image_limit);
}

DirectoryReader make_reader(const Training& t) {
  return DirectoryReader(
      t.data.training, t.data.validation,
      {.batch = t.spec.batch,
       .epochs = t.spec.epochs,
       .steps_per_epoch = t.spec.steps_per_epoch,
       .drop_last = t.spec.data.drop_last,
       .limit_batches = t.spec.data.limit_batches,
       .seed = t.spec.seed,
       .shuffle = t.spec.shuffle,
       .ticket_samples = ticket_samples(t.model.input),
       .start = t.state != nullptr ? t.state->next : ReaderPosition{},
       .finished = t.state != nullptr ? t.state->finished() : nullptr,
       .class_weights = class_weights(t.spec.labels.class_weight, t.data.training),
       .accumulate = t.spec.accumulate});
}

std::uint64_t run_steps(const TrainSpec& o, const DirectoryReader& reader) {
  const std::uint64_t batches = reader.training_steps();
  return (batches + o.accumulate - 1) / o.accumulate * o.epochs;
}

bool moves_on_device(const Training& t) {
  return t.resident != nullptr && !t.spec.augmentation.is_identity();
}

// Pruning acts between any two steps: which of them are masked depends on the next one. A batch of
// several steps may end within a group of batches that a step learns from together.
std::uint32_t steps_together(const Training& t) {
  if (t.resident == nullptr || t.pruner != nullptr || t.spec.accumulate > 1) return 1;
  const DeviceBatchFactory batches = device_batches(t, 1);
  const std::uint64_t fitting =
      kMostBytes.count / std::max<std::uint64_t>(batches.device_bytes().count, 1);
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(fitting, 1, kMostSteps));
}

DeviceBatchFactory device_batches(const Training& t) {
  return device_batches(t, steps_together(t));
}

DeviceBatchFactory device_batches(const Training& t, std::uint32_t steps) {
  const ClassMode mode = class_mode_for(t.spec.labels, t.model);
  return {.engine = t.engine,
          .sample = t.model.input,
          .dtype = nn::host_dtype(t.model.preprocessing, t.data.training.dataset->dtype()),
          .capacity = t.spec.batch * steps,
          .target_width = target_width(mode, output_width(t.model)),
          .learns_input = mode == ClassMode::input,
          .step = t.spec.batch,
          .resident = t.resident != nullptr ? t.resident->pixels : nullptr,
          .moves = moves_on_device(t)};
}

HostBatchFactory host_batches(const Training& t) {
  const DeviceBatchFactory device = device_batches(t);
  return {t.model.input, device.dtype, t.spec.batch,
          [engine = t.engine](Bytes size) { return engine->host_buffer(size); },
          device.target_width};
}

void charge_indexes(Pipeline& p, const Training& t) {
  const SampleSet& training = t.data.training;
  const SampleSet& validation = t.data.validation;
  p.charge("index", 1, training.dataset->index_bytes());
  if (validation.size() > 0 && validation.dataset != training.dataset) {
    p.charge("validation index", 1, validation.dataset->index_bytes());
  }
}

Stream<Lease<HostBatch>> add_reading(Pipeline& p, const Training& t, DirectoryReader reader,
                                     const Pool<HostBatch>& host) {
  const TrainSpec& o = t.spec;
  const SampleSet& training = t.data.training;
  const SampleSet& validation = t.data.validation;
  charge_indexes(p, t);
  p.charge("order of samples", 1, reader.bytes());
  if (t.lost != nullptr) p.charge("samples that are left out", 1, t.lost->bytes());
  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels = p.then(
      tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = bad_image_policy(o)},
      DecodeInto(training.dataset, validation.dataset,
                 filter_from_name(t.model.preprocessing.filter),
                 decoder_options(o.machine.memory_budget.value(), o.machine.threads,
                                 o.data.max_image_pixels, t.model.preprocessing),
                 t.lost));
  auto augmented = p.then(pixels, {.name = "augment", .concurrency = kAllThreads},
                          Augment(o.augmentation, o.seed, t.model.input));
  if (nn::needs_whole_samples(t.model.preprocessing)) {
    charge_whitening(p, t.model.preprocessing);
    augmented = p.then(augmented, {.name = "standardize", .concurrency = kAllThreads},
                       Standardize(t.model.preprocessing, t.model.input));
  }
  return p.then(p.gather(augmented), {.name = "batch"}, Batcher{});
}

}  // namespace millrace::apps
