// The program's own training pipeline on the recording device: nothing overlaps in memory, nothing
// stops the host within a step, memory is what the plan says, and the weights are those of the same
// steps done by hand.

#include "apps/recorded_run.h"
#include "apps/recorded_training.h"

#include <millrace/nn/initialize.h>
#include <millrace/training/resumed_run.h>

#include <map>
#include <set>

using namespace millrace;
using namespace millrace::test;
using gpu::Recorded;
using Kind = Recorded::Kind;

namespace {

constexpr int kDeviceSlots = 2;  // of the program

/// Images for 4 batches of 4 and one of 2, and for one of validation.
TrainSpec whole_run(const Scratch& scratch, const std::string& model) {
  TrainSpec options = options_for(write_images(scratch, 11), model);
  options.data.validation_share = 0.2;
  options.optimizer.kind = nn::OptimizerKind::sgd;
  options.epochs = 4;
  options.run.checkpoints = true;
  options.run.directory = (scratch / "run").string();
  return options;
}

/// What a step may ask of the device once it was captured, and what the host asks for results.
bool belongs_to_step(const Recorded& entry) {
  const bool is_result = entry.kind == Kind::copy && entry.name == "to_host";
  return entry.kind == Kind::wait || entry.kind == Kind::record || entry.kind == Kind::graph ||
         entry.kind == Kind::launch || entry.kind == Kind::fill || is_result;
}
bool belongs_to_upload(const Recorded& entry) {
  const bool is_pinned_copy =
      entry.kind == Kind::copy && entry.name == "to_device" && entry.accesses.size() == 2;
  return is_pinned_copy || entry.kind == Kind::wait || entry.kind == Kind::record ||
         entry.kind == Kind::launch || entry.kind == Kind::fill;
}

/// Calls of `train` that were not replays of a graph.
int check_calls(const std::vector<Recorded>& record) {
  int others = 0;
  for (const StageCall& call : stage_calls(record)) {
    const auto all = [&](auto belongs) {
      return std::ranges::all_of(call.entries, [&](auto at) { return belongs(record[at]); });
    };
    const auto has = [&](Kind kind) {
      return std::ranges::any_of(call.entries, [&](auto at) { return record[at].kind == kind; });
    };
    if (call.stage == "copy" || call.stage == "cast") CHECK(all(belongs_to_upload));
    if (call.stage != "train") continue;
    const bool is_replay = has(Kind::graph) && !has(Kind::begin_capture);
    if (is_replay) CHECK(all(belongs_to_step));
    others += is_replay ? 0 : 1;
  }
  return others;
}

/// From the first call of a stage to the end of the last: nothing takes memory or plans, and who
/// queues work waits for nothing.
void check_run(const std::vector<Recorded>& record) {
  const std::vector<StageCall> calls = stage_calls(record);
  REQUIRE_FALSE(calls.empty());
  std::size_t end = 0;
  for (const StageCall& call : calls) end = std::max(end, call.end);
  std::set<std::uint64_t> queue, wait;
  std::set<std::string> takes;
  for (std::size_t at = calls.front().begin; at < end; ++at) {
    const Recorded& entry = record[at];
    const bool is_call =
        entry.kind == Kind::allocate || entry.kind == Kind::release || entry.kind == Kind::plan;
    if (is_call) takes.insert(entry.name);
    if (entry.kind == Kind::synchronize) wait.insert(entry.thread);
    if (entry.stream >= 0) queue.insert(entry.thread);
  }
  CHECK(takes == std::set<std::string>{});
  for (const std::uint64_t thread : wait) CHECK_FALSE(queue.contains(thread));
}

/// What the pipeline feeds, from its loading half alone.
struct Fed {
  std::vector<std::byte> pixels;
  std::vector<std::int32_t> labels;
  std::vector<std::uint64_t> positions;
  std::uint32_t pass = 0;
};
std::vector<Fed> training_batches(const Training& training) {
  std::vector<Fed> fed;
  Pipeline p({.name = "load", .threads = 1});
  p.sink(
      training.feed->add(p, FeedStart::of(*training.state)), {.name = "keep"},
      [&fed](const Lease<HostBatch>& lease) {
        const HostBatch& batch = *lease;
        if (batch.tag.phase != Phase::training) return;
        const auto n = static_cast<std::size_t>(batch.size);
        const std::size_t bytes = n * static_cast<std::size_t>(batch.sample.elements());
        fed.push_back({.pixels = {batch.pixels.data(), batch.pixels.data() + bytes},
                       .labels = {batch.labels.begin(), batch.labels.begin() + batch.size},
                       .positions = {batch.positions.begin(), batch.positions.begin() + batch.size},
                       .pass = batch.passes[0]});
      });
  p.run();
  return fed;
}

/// The same steps one by one on another engine.
std::vector<float> by_hand(const Training& t, const nn::Engine& engine) {
  const auto executor = engine.compile(t.model, t.compile);
  executor->allocate();
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(t.model))));
  nn::initialize(t.model, t.spec.seed, weights);
  executor->write(nn::Arena::parameters, weights);
  std::int64_t step = 0;
  for (const Fed& fed : training_batches(t)) {
    const auto n = static_cast<std::int64_t>(fed.labels.size());
    std::vector<float> pixels(fed.pixels.size());
    std::ranges::transform(fed.pixels, pixels.begin(), [&](std::byte pixel) {
      return static_cast<float>(std::to_integer<int>(pixel)) * t.model.preprocessing.scale;
    });
    const nn::Batch batch{
        .input = {reinterpret_cast<const std::byte*>(pixels.data()), t.model.input.with_front(n),
                  DType::f32},
        .labels = {reinterpret_cast<const std::byte*>(fed.labels.data()), Shape{n}, DType::i32},
        .samples = n,
        .pass = fed.pass,
        .positions = fed.positions};
    executor->train(batch, ++step, executor->learning_rate());
  }
  executor->read(nn::Arena::parameters, weights);
  return weights;
}

}  // namespace

TEST_CASE("training on a device stops for nothing within steps and takes the planned memory") {
  const std::string model = GENERATE("cnn:4:8", "mlp:8");
  const nn::Precision precision = GENERATE(nn::Precision::fp32, nn::Precision::fp16);
  INFO(model << " " << nn::to_string(precision));
  const Scratch scratch;
  RecordedTraining recorded(whole_run(scratch, model), {.precision = precision});
  const Training& t = recorded.training;
  const Bytes planned = nn::total(t.state->executor->memory()) +
                        std::uint64_t{kDeviceSlots} * t.feed->device_batches().device_bytes();
  RunDirectory directory(t.spec.run.directory, OldRun::refuse);
  std::optional<RunFiles> files(std::in_place, directory, contents_of(t),
                                RunFileOptions{.events = t.spec.run.events});
  Logger::Watchers watchers = files->watchers();
  std::set<std::uint64_t> taken;
  watchers.on_step = [&](const StepRecord&) { taken.insert(recorded.device_memory().count); };

  const Report report = recorded.run(std::move(watchers));
  CHECK(report.stage("train").items == 4 * 6);
  CHECK(report.stage("cast").device_s > 0);
  CHECK(taken == std::set{planned.count});
  CHECK(t.state->history.size() == 4);
  CHECK(std::filesystem::exists(directory.model_file()));
  recorded.check_device();
  check_run(recorded.device->record());
  // Three programs (steps of 4, of 2, validation): each runs once as it is, and is captured in each
  // slot.
  CHECK(check_calls(recorded.device->record()) <= 3 * (1 + kDeviceSlots));

  CHECK(recorded.device_memory() == nn::total(t.state->executor->memory()));  // slots are back
  files.reset();
  recorded.training = {};
  CHECK(recorded.device_memory() == 0_B);
  CHECK(recorded.device->pinned_memory() == 0_B);
}

TEST_CASE("between two reports nobody waits for a step") {
  const Scratch scratch;
  TrainSpec options = options_for(write_images(scratch, 16), "cnn:4:8");
  options.epochs = 4;
  const RecordedTraining recorded(options);
  recorded.allocate();
  recorded.device->clear();
  CHECK(compose_steps(recorded, kDeviceSlots, 4).run().stage("train").items == 32);
  recorded.check_device();
  const std::vector<Recorded> record = recorded.device->record();
  std::map<std::pair<int, int>, int> streams;  // of events
  std::set<int> stepping;                      // streams
  int waits = 0, results = 0;
  for (const Recorded& entry : record) {
    if (entry.kind == Kind::graph) stepping.insert(entry.stream);
    if (entry.kind == Kind::record) streams[{entry.event, entry.generation}] = entry.stream;
    if (entry.kind == Kind::copy && entry.name == "to_host") ++results;
  }
  REQUIRE(stepping.size() == 1);
  const StageCall last = stage_calls(record).back();
  for (std::size_t at = 0; at < last.end; ++at) {
    const Recorded& entry = record[at];
    if (entry.kind != Kind::synchronize) continue;
    const auto stream = streams.find({entry.event, entry.generation});
    waits += stream != streams.end() && stepping.contains(stream->second) ? 1 : 0;
  }
  CHECK(waits == 32 / 4);
  CHECK(results == 32 / 4);
}

TEST_CASE("the pipeline's weights are those of the same steps by hand, to the bit") {
  const std::string model = GENERATE("cnn:4:8", "mlp:8");
  const nn::Precision precision = GENERATE(nn::Precision::fp32, nn::Precision::fp16);
  INFO(model << " " << nn::to_string(precision));
  const Scratch scratch;
  const RecordedTraining recorded(whole_run(scratch, model), {.precision = precision});
  (void)recorded.run();
  const std::vector<float> trained =
      read(*recorded.training.state->executor, nn::Arena::parameters);
  // From where a run begins, with memory of its own.
  const RecordedTraining fresh(whole_run(scratch, model), {.precision = precision});
  CHECK(trained == by_hand(fresh.training, *fresh.engine));
  fresh.check_device();
  check_close("weights after 20 steps", trained, by_hand(fresh.training, reference_for(precision)),
              precision == nn::Precision::fp32 ? Nearness{.tolerance = 1e-4}
                                               : Nearness{.tolerance = 2e-3, .by_norm = true});
}

TEST_CASE("a run that prunes, and one that replays, are in order too") {
  const Scratch scratch;
  TrainSpec options = whole_run(scratch, "cnn:4:8");
  SECTION("pruning") {
    options.pruning.kind = nn::PruneKind::constant;
    options.pruning.final_sparsity = 0.5;
    options.pruning.begin = 4;
    options.pruning.frequency = 4;
    const RecordedTraining recorded(options, {.precision = nn::Precision::fp16});
    (void)recorded.run();
    recorded.check_device();
    check_run(recorded.device->record());
    for (const PrunedTensor& tensor : recorded.training.pruner->summary().tensors) {
      CHECK(2 * tensor.pruned >= tensor.elements - 1);
    }
  }
  SECTION("replay") {
    options.data.replay = 2;
    const RecordedTraining recorded(options);
    const Report report = recorded.run();
    CHECK(report.stage("train").items == report.stage("replay").items);
    recorded.check_device();
  }
}

TEST_CASE("a copy that does not wait for the step that reads its slot is found") {
  const Scratch scratch;
  TrainSpec options = options_for(write_images(scratch, 16), "mlp:8");
  gpu::Faults faults;
  faults.forgets = [](const Recorded& wait) { return wait.stream == 0; };  // that of copies
  const RecordedTraining recorded(options, {}, faults);
  recorded.allocate();
  (void)compose_steps(recorded, kDeviceSlots, 1000).run();
  const std::vector<std::string> found = recorded.device->violations();
  REQUIRE_FALSE(found.empty());
  CHECK_THAT(found.front(), Catch::Contains("no order between") && Catch::Contains("stream copy"));
}
