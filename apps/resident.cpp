#include "apps/resident.h"

#include "apps/choose.h"
#include "apps/progress.h"
#include "apps/training_input.h"

#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/replay.h>

#include <algorithm>
#include <utility>

namespace millrace::apps {
namespace {

std::int64_t samples_of(const Training& t) {
  return std::int64_t{t.data.training.size()} + t.data.validation.size();
}

Bytes index_bytes(const Training& t) {
  const auto of = [](const SampleSet& set) {
    return set.size() == 0 ? std::uint64_t{0} : std::uint64_t{set.dataset->size()};
  };
  return {(of(t.data.training) + of(t.data.validation)) * sizeof(std::uint32_t)};
}

}  // namespace

void check_resident(const TrainSpec& o, const nn::Engine* engine) {
  if (engine != nullptr ? engine->shares_host_memory() : o.machine.device == Device::cpu) {
    throw UsageError(
        "--resident keeps data in a GPU's memory, and this run computes on the CPU; choose the "
        "GPU, or "
        "leave --resident out");
  }
  if (o.data.replay > 0) {
    throw UsageError(
        "--resident keeps all samples in the GPU's memory, --replay feeds a few of the host's; "
        "leave one of them out");
  }
  if (!only_moves(o.augmentation)) {
    throw UsageError(
        "--resident keeps samples as they were decoded; in each epoch they can be flipped and "
        "cropped, and changed in no other way; leave --resident or the other options of "
        "augmentation out");
  }
}

std::shared_ptr<ResidentData> resident_data(const Training& training) {
  Training t = training;
  if (!t.spec.augmentation.is_identity() && nn::needs_whole_samples(t.model.preprocessing)) {
    throw UsageError(
        "--resident keeps samples as the preprocessing of whole samples leaves them, which cannot "
        "be "
        "cropped or flipped before it; leave --resident or the augmentation out");
  }
  t.resident = std::make_shared<ResidentData>(
      t.engine->resident_pixels(t.model.input, device_batches(t).dtype, samples_of(t)));
  return t.resident;
}

Report load_resident(const Training& training, const Watch& watch) {
  Training t = training;
  t.spec.augmentation = {};  // that is for each epoch anew
  ResidentData& data = *t.resident;
  data.rows = {};
  data.size = 0;
  data.pixels->allocate();
  Pipeline p({.name = "load the data into the GPU's memory",
              .budget = t.spec.machine.memory_budget.value(),
              .threads = t.spec.machine.threads,
              .stall = stall_watch(t.spec.machine.stall_timeout.count())});
  auto host = p.pool<HostBatch>("host batches", t.spec.machine.slots, host_batches(t));
  p.charge("rows of resident samples", 1, index_bytes(t));
  DirectoryReader reader(
      t.data.training, t.data.validation,
      {.batch = t.spec.batch, .shuffle = false, .ticket_samples = ticket_samples(t.model.input)});
  p.sink(add_reading(p, t, std::move(reader), host), {.name = "keep", .on = On::blocking},
         [keep = KeepResident(t.resident), &data, &watch](const Lease<HostBatch>& batch) mutable {
           keep(batch);
           if (watch.progress) watch.progress(static_cast<std::uint64_t>(data.size));
         });
  Report report = p.run(watch.stop);
  if (report.stopped) throw Stopped("stopped while the data was loaded");
  return report;
}

Stream<Lease<HostBatch>> add_resident(Pipeline& p, const Training& t) {
  const std::uint32_t steps = steps_together(t);
  HostBatchFactory batch = host_batches(t);
  batch.capacity *= steps;
  DirectoryReader reader = make_reader(t);
  charge_indexes(p, t);
  p.charge("order of samples", 1, reader.bytes());
  p.charge("rows of resident samples", 1, index_bytes(t));
  auto slots = p.pool<HostBatch>("host batches", t.spec.machine.slots, ReplaySlotFactory{batch});
  return p.source(
      {.name = "list"}, slots,
      ResidentReader(std::move(reader), t.resident,
                     {.steps = steps,
                      .steps_before = t.state != nullptr ? t.state->step : 0,
                      .stops = {t.spec.run.checkpoint_every, t.spec.run.tensorboard_update}}));
}

std::string describe_resident(const Training& t) {
  return concat(with_commas(static_cast<std::uint64_t>(samples_of(t))), ' ',
                plural(samples_of(t), "sample"), ", ", t.resident->pixels->bytes());
}

std::string resident_remark(const Training& t) {
  return concat("data was resident: ", describe_resident(t),
                " in the GPU's memory, decoded once before the first epoch, which is no part of "
                "the times; at most ",
                steps_together(t), ' ', plural(steps_together(t), "step"), " in one go");
}

}  // namespace millrace::apps
