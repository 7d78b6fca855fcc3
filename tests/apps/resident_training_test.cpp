// --resident on the recording device: what training gives is what it gives without, to the bit.

#include "apps/resident_runs.h"
#include "catch.h"
#include "nodes/with_targets.h"

#include <millrace/gpu/engine.h>
#include <millrace/gpu/fake/recording_device.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/training/compose_training.h>
#include <millrace/training/prepare_training.h>

#include <cstring>
#include <map>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

struct Trained {
  std::vector<float> weights;
  std::vector<EpochRecord> history;
  std::optional<nn::LossScaleState> scale;
  std::map<std::uint64_t, Checkpoint> snapshots;  ///< by step
  std::map<std::uint64_t, double> losses;         ///< of the epoch so far, by step
  Report report;
  std::vector<gpu::Recorded> record;
};

struct Device {
  nn::Precision precision = nn::Precision::fp32;
  gpu::Faults faults{};
};

/// `from`: a checkpoint to go on with.
Trained trained(const TrainSpec& options, const TrainingData& data, const Device& device = {},
                const Checkpoint* from = nullptr) {
  const auto recording = gpu::RecordingDevice::make(device.faults);
  const Training t = prepare_training(
      options, data,
      gpu::make_engine(recording,
                       {.precision = device.precision, .loss_scale = {.initial = 0x1p24}}));
  (void)t.feed->load({});
  allocate(t);
  if (from != nullptr) restore(*t.state, t.saved, *from);
  if (t.pruner != nullptr) {
    t.pruner->begin(*t.state->executor, t.state->step, t.state->next.phase == Phase::validation);
  }
  Trained result;
  Logger::Watchers watchers;
  watchers.on_step = [&](const StepRecord& r) {
    if (r.tag.phase == Phase::training) result.losses[r.global_step] = r.totals.loss_sum;
  };
  watchers.on_snapshot = [&](const Snapshot& taken, const StepRecord&) {
    if (taken.is_whole) result.snapshots[taken.step] = taken.checkpoint;
  };
  Pipeline pipeline = compose_training(t, {}, std::move(watchers));
  recording->clear();
  result.report = pipeline.run();
  result.record = recording->record();
  result.weights = t.state->weights();
  result.history = t.state->history;
  result.scale = t.state->executor->loss_scale();
  for (const std::string& violation : recording->violations()) FAIL_CHECK(violation);
  return result;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Sums of losses may have been added up in another order.
void check_same(const nn::StepResult& a, const nn::StepResult& b) {
  CHECK(a.loss_sum == Approx(b.loss_sum).epsilon(1e-12));
  CHECK(a.weight_sum == Approx(b.weight_sum).epsilon(1e-12));
  CHECK(a.correct == b.correct);
  CHECK(a.samples == b.samples);
}

void check_same(const Trained& a, const Trained& b) {
  CHECK(same_bits(a.weights, b.weights));
  CHECK(a.scale == b.scale);
  REQUIRE(a.history.size() == b.history.size());
  for (std::size_t i = 0; i < a.history.size(); ++i) {
    const EpochRecord &x = a.history[i], &y = b.history[i];
    INFO("epoch " << i);
    check_same(x.training, y.training);
    REQUIRE(x.validation.has_value() == y.validation.has_value());
    if (x.validation) check_same(*x.validation, *y.validation);
    CHECK(x.holes == y.holes);
    CHECK(x.learning_rate == y.learning_rate);
    CHECK(x.global_step == y.global_step);
    CHECK(x.is_best == y.is_best);
    REQUIRE(x.extra.size() == y.extra.size());
    for (std::size_t k = 0; k < x.extra.size(); ++k) {
      CHECK(x.extra[k].first == y.extra[k].first);
      CHECK(x.extra[k].second == Approx(y.extra[k].second));
    }
  }
}

std::uint64_t items(const Report& report, const char* stage) {
  return report.stage(stage).items;
}

}  // namespace

TEST_CASE("a resident run is the run without it, to the bit") {
  const Scratch scratch;
  TrainSpec o = options_in(scratch);
  std::set<std::uint32_t> bad;
  SECTION("epochs whose last step is short") {}
  SECTION("images that are flipped and cropped, where they lie") {
    o.augmentation.horizontal_flip = true;
    o.augmentation.vertical_flip = true;
    o.augmentation.crop_padding = 2;
  }
  SECTION("an endless stream, whose steps may lie in two passes") {
    o.steps_per_epoch = 7;
    o.epochs = 4;
  }
  SECTION("limited batches in the order of the data") {
    o.data.limit_batches = 3;
    o.shuffle = false;
  }
  SECTION("a learning rate that changes with each step, L2 and clipping") {
    o.schedule.kind = nn::ScheduleKind::cosine;
    o.schedule.warmup_steps = 4;
    o.gradient.l2 = 1e-3;
    o.gradient.clip_global_norm = 0.5;
  }
  SECTION("weighted classes, smoothed labels and targets of numbers") {
    o.labels.class_weight = "dark=1,light=2";
    o.labels.class_mode = ClassMode::categorical;
    o.label_smoothing = 0.1;
  }
  SECTION("images that cannot be read") {
    o.data.on_bad_image = BadImages::skip;
    bad = {0, 1, 2, 11, 23, 40};
  }
  SECTION("pixels that are centred, as floats") {
    o.images.samplewise_center = true;
  }
  SECTION("a run that is stopped early and ends with its best weights") {
    o.epochs = 8;
    o.optimizer.learning_rate = 0.3;
    o.callbacks.patience = 1;
    o.callbacks.restore_best = true;
  }
  SECTION("a learning rate that is lowered on a plateau, and more to measure") {
    o.callbacks.plateau_patience = 1;
    o.callbacks.plateau_min_delta = 10;
    o.callbacks.metrics = {"auc", "f1"};
  }
  SECTION("pruning, between any two steps") {
    o.pruning.kind = nn::PruneKind::polynomial;
    o.pruning.final_sparsity = 0.5;
    o.pruning.frequency = 2;
  }
  SECTION("layers that are frozen at first") {
    o = options_in(scratch, true);
    o.model.unfreeze_at = 2;
  }
  const TrainingData data = data_with(bad);
  for (const nn::Precision precision : {nn::Precision::fp32, nn::Precision::fp16}) {
    INFO(nn::to_string(precision));
    const Trained read = trained(o, data, {.precision = precision});
    const Trained kept = trained(resident(o), data, {.precision = precision});
    check_same(kept, read);
    if (o.pruning.kind.has_value()) continue;
    CHECK(items(kept.report, "train") < items(read.report, "train"));
    TrainSpec one_by_one = resident(o);
    one_by_one.run.tensorboard_update = 1;
    check_same(trained(one_by_one, data, {.precision = precision}), kept);
  }
}

TEST_CASE("a resident run decodes each sample once, and trains by rows in few graphs") {
  const Scratch scratch;
  TrainSpec o = resident(options_in(scratch));
  o.epochs = 6;
  TrainingData data = data_with();
  data.validation = {};
  const auto recording = gpu::RecordingDevice::make();
  const Training t = prepare_training(o, data, gpu::make_engine(recording, {}));
  const Bytes before = recording->memory().free;
  std::uint64_t told = 0;
  const Report load = t.feed->load({[&](std::uint64_t count) { told = count; }, {}});
  CHECK(told == data.training.size());
  CHECK(before - recording->memory().free == resident_data(t).pixels->bytes());
  CHECK(resident_data(t).pixels->bytes().count == data.training.size() * 36);
  CHECK(load.skipped.empty());
  CHECK_THAT(t.feed->describe(), Contains("43 samples"));
  CHECK_THAT(t.feed->remark(), Contains("data was resident") && Contains("50 steps"));

  const Trained kept = trained(o, data);
  CHECK(items(kept.report, "train") == 6);  // an epoch in one go
  CHECK_THROWS_AS(items(kept.report, "decode"), Error);
  using Kind = gpu::Recorded::Kind;
  std::uint64_t copied = 0;
  int graphs = 0;
  for (const gpu::Recorded& recorded : kept.record) {
    if (recorded.kind == Kind::copy && recorded.name == "to_device") copied += recorded.bytes;
    if (recorded.kind == Kind::graph) ++graphs;
  }
  CHECK(graphs == 4);  // each of the two slots is met once before it is captured
  const std::uint64_t slot = 50 * 8 * (4 + 4 + 8 + 4) + 4 * 256;  // labels, weights, draws, rows
  CHECK(copied <= 6 * slot + 2 * 64);
}

TEST_CASE("checkpoints of a resident run come at the same steps, and each can go on either way") {
  const Scratch scratch;
  TrainSpec o = options_in(scratch);
  o.run.checkpoints = true;
  o.run.checkpoint_every = 4;
  o.steps_per_epoch = GENERATE(0U, 7U);
  const TrainingData data = data_with();
  const Trained read = trained(o, data), kept = trained(resident(o), data);
  check_same(kept, read);
  REQUIRE(kept.snapshots.size() == read.snapshots.size());
  for (const auto& [step, checkpoint] : read.snapshots) {
    INFO("step " << step);
    REQUIRE(kept.snapshots.count(step) == 1);
    const Checkpoint& other = kept.snapshots.at(step);
    for (const char* name : {"parameters", "first_moment", "second_moment"}) {
      CHECK(same_bits(other.arrays.at(name), checkpoint.arrays.at(name)));
    }
    for (const char* name : {"step", "next.phase", "next.step", "next.pass", "next.position"}) {
      CHECK(other.values.at(name) == checkpoint.values.at(name));
    }
    if (step >= read.history.back().global_step) continue;
    check_same(trained(resident(o), data, {}, &checkpoint), read);
    check_same(trained(o, data, {}, &other), read);
  }
}

TEST_CASE("losses of a resident run are told at the steps at which they are asked for") {
  const Scratch scratch;
  TrainSpec o = options_in(scratch);
  o.run.tensorboard_update = 3;
  const TrainingData data = data_with();
  const Trained read = trained(o, data), kept = trained(resident(o), data);
  CHECK(kept.losses.size() < read.losses.size());
  for (std::uint64_t step = 3; step <= read.history.back().global_step; step += 3) {
    INFO("step " << step);
    REQUIRE(kept.losses.count(step) == 1);
    CHECK(kept.losses.at(step) == Approx(read.losses.at(step)).epsilon(1e-12));
  }
}

TEST_CASE("a run with targets that are not all known is on a device what it is on float64") {
  const Scratch scratch;
  TrainingData data = data_with();
  const auto all =
      std::make_shared<const WithTargets>(kTraining + kValidation, Shape{6, 6, 1}, 100.0F);
  data.training.dataset = data.validation.dataset = all;
  TrainSpec options = options_in(scratch);
  nn::Model model = nn::ModelBuilder("two", {6, 6, 1}).flatten().dense(8).relu().dense(2).build();
  model.preprocessing.scale = 1.0F / 255;
  options.model.name = scratch.write("two.json", nn::to_json(model)).string();
  const Trained plain = trained(options, data);
  check_same(trained(resident(options), data), plain);
  const Training t = prepare_training(options, data, std::make_shared<const nn::ReferenceEngine>());
  allocate(t);
  (void)compose_training(t, {}, {}).run();
  REQUIRE(t.state->history.size() == plain.history.size());
  for (std::size_t i = 0; i < plain.history.size(); ++i) {
    const EpochRecord &exact = t.state->history[i], &record = plain.history[i];
    INFO("epoch " << i);
    CHECK(record.training.mean_loss() == Approx(exact.training.mean_loss()).epsilon(1e-4));
    CHECK(record.validation->mean_loss() == Approx(exact.validation->mean_loss()).epsilon(1e-4));
    for (const char* name : {"val_mae", "val_r2"}) {
      CHECK(record.value(name).value() == Approx(exact.value(name).value()).epsilon(1e-3));
    }
  }
}
