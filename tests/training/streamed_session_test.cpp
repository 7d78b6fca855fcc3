// A training session on a stream: it trains, measures, goes on where it was stopped, and refuses
// what no stream has.

#include "catch.h"
#include "io/scratch.h"

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/training/session.h>

#include <algorithm>
#include <limits>
#include <sstream>
#include <vector>

using namespace millrace;
using Catch::Contains;
using test::Scratch;

namespace {

const StreamFacts kFacts{
    .sample = {8, 8, 1}, .classes = {"dark", "light"}, .validation_samples = 20};

/// For ever in training unless there is an end.
Generator<int> numbers(std::uint32_t first, std::int64_t end) {
  for (std::int64_t i = 0; i != end; ++i) co_yield static_cast<int>(first + i);
}

/// Noise around two grey levels.
void draw(int number, Row row) {
  Random random = row.random();
  for (std::uint8_t& pixel : row.pixels()) {
    pixel = static_cast<std::uint8_t>(random.uniform(0, 200) + (number % 2 == 0 ? 0 : 55));
  }
  row.label(number % 2);
}

StreamedData drawn(std::int64_t training, std::uint32_t validation = 20,
                   StreamFacts facts = kFacts) {
  facts.validation_samples = std::min(facts.validation_samples, validation);
  return streamed_data(
      facts,
      [=](Phase phase, std::uint32_t pass) {
        return phase == Phase::training ? numbers(pass, training) : numbers(0, validation);
      },
      draw);
}

TrainSpec small_spec() {
  return {.model = {.name = "mlp:6"},
          .epochs = 3,
          .batch = 8,
          .steps_per_epoch = 5,
          .machine = {.threads = 2, .memory_budget = 256_MiB}};
}

std::shared_ptr<const nn::Engine> engine() {
  return cpu::make_engine({.threads = 1});
}

std::vector<float> weights_of(const TrainingSession& session) {
  const nn::Executor& executor = *session.training().state->executor;
  std::vector<float> weights(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(executor.model()))));
  executor.read(nn::Arena::parameters, weights);
  return weights;
}

}  // namespace

TEST_CASE("a session trains on a stream, and measures, saves and plans as on files") {
  const Scratch scratch;
  TrainSpec spec = small_spec();
  spec.epochs = 6;
  spec.steps_per_epoch = 20;
  spec.optimizer.learning_rate = 0.01;
  spec.augmentation.horizontal_flip = true;
  spec.callbacks.metrics = {"auc"};
  TrainingSession session(spec, drawn(-1), engine());
  std::ostringstream plan;
  plan << session.plan();
  CHECK_THAT(plan.str(), Contains("stream") && Contains("write") && Contains("augment") &&
                             Contains("host batches") && !Contains("decode"));
  const TrainingResult result = session.run();
  REQUIRE(result.epochs.size() == 6);
  CHECK(result.best().validation->accuracy() > 0.9);
  CHECK(result.best().validation->samples == 20);
  CHECK(result.best().value("val_auc").value() > 0.9);
  session.save(scratch / "stream.safetensors");
  const SavedModel saved = load_model(scratch / "stream.safetensors");
  CHECK(saved.model.classes == std::vector<std::string>{"dark", "light"});
  CHECK(saved.model.input == Shape{8, 8, 1});
}

TEST_CASE("an epoch of a session ends with its stream where no steps are told") {
  TrainSpec spec = small_spec();
  spec.steps_per_epoch = 0;
  TrainingSession session(spec, drawn(21), engine());
  const TrainingResult result = session.run();
  REQUIRE(result.epochs.size() == 3);
  CHECK(result.epochs[2].training.samples == 21);
  CHECK(result.epochs[2].global_step == 9);
}

TEST_CASE("a run on a stream that is stopped anywhere goes on to the bits of one that was not") {
  const Scratch scratch;
  TrainSpec spec = small_spec();
  spec.steps_per_epoch = GENERATE(0U, 5U);
  spec.run = {.directory = scratch / "whole", .checkpoint_every = 1, .events = false};
  TrainingSession whole(spec, drawn(21), engine());
  const std::size_t epochs = whole.run().epochs.size();
  const std::uint64_t steps = whole.training().state->step;
  for (std::uint64_t stop_at = 1; stop_at < steps; ++stop_at) {
    spec.run.directory = scratch / ("stopped " + std::to_string(stop_at));
    std::stop_source stop;
    TrainingSession(spec, drawn(21), engine())
        .run(stop.get_token(), {.on_step = [&](const StepRecord& record) {
               if (record.global_step == stop_at) stop.request_stop();
             }});
    TrainingSession rest = TrainingSession::resume(spec.run.directory, drawn(21), engine());
    CHECK(rest.run().epochs.size() == epochs);
    CHECK(rest.training().state->step == steps);
    CHECK(weights_of(rest) == weights_of(whole));
  }
}

TEST_CASE("a run on a stream is not gone on with on another one") {
  const Scratch scratch;
  TrainSpec spec = small_spec();
  spec.run = {.directory = scratch / "run", .events = false};
  TrainingSession(spec, drawn(-1), engine()).run();
  const auto refused = [&](StreamFacts facts, const char* told) {
    const std::uint32_t validation = facts.validation_samples;
    CHECK_THROWS_WITH(
        TrainingSession::resume(spec.run.directory, drawn(-1, validation, facts), engine()),
        Contains(told));
  };
  StreamFacts others = kFacts;
  others.classes = {"black", "white"};
  refused(others,
          "the training data changed since the run began (then a stream of 8x8x1 samples in 2 "
          "classes, now a stream of 8x8x1 samples in 2 classes of other names or classes)");
  others = kFacts;
  others.validation_samples = 0;
  refused(others,
          "the validation data changed since the run began (then a stream of 8x8x1 samples in 2 "
          "classes, now no samples)");
  CHECK_THROWS_AS(TrainingSession::resume(spec.run.directory, engine()), UsageError);
}

TEST_CASE(
    "how many samples a stream validates at most is a bound, and a run resumes with another") {
  const Scratch scratch;
  StreamFacts facts = kFacts;
  facts.validation_samples = std::numeric_limits<std::uint32_t>::max();
  const auto data = [&](const StreamFacts& with) {
    return streamed_data(
        with,
        [](Phase phase, std::uint32_t pass) {
          return phase == Phase::training ? numbers(pass, -1) : numbers(0, 20);
        },
        draw);
  };
  TrainSpec spec = small_spec();
  spec.run = {.directory = scratch / "run", .events = false};
  {
    TrainingSession first(spec, data(facts), engine());
    CHECK(first.training().data.validation.size() == 2);  // no list of so many numbers
    first.run();
  }
  facts.validation_samples = 20;
  CHECK(TrainingSession::resume(spec.run.directory, data(facts), engine(),
                                [](TrainSpec& changed) { changed.epochs = 4; })
            .run()
            .epochs.size() == 4);
}

TEST_CASE("samples of a stream that cannot be written are left out or end the run") {
  const auto failing = streamed_data(
      {.sample = {2}, .classes = {"a", "b"}},
      [](Phase phase, std::uint32_t) { return numbers(0, phase == Phase::training ? 20 : 0); },
      [](int number, Row row) {
        if (number == 3) throw Error("is damaged");
        row.values()[0] = row.values()[1] = static_cast<float>(number);
        row.label(number % 2);
      });
  TrainSpec spec = small_spec();
  spec.steps_per_epoch = 0;
  CHECK_THROWS_WITH(TrainingSession(spec, failing, engine()).run(),
                    "write: training sample #3: is damaged");
  spec.data.on_bad_image = BadImages::skip;
  TrainingSession session(spec, failing, engine());
  CHECK(session.run().epochs.at(2).holes == 1);
}

TEST_CASE("validation of a stream is as its facts say") {
  CHECK_THROWS_WITH(TrainingSession(small_spec(),
                                    streamed_data(
                                        kFacts,
                                        [](Phase phase, std::uint32_t) {
                                          return numbers(0, phase == Phase::training ? -1 : 0);
                                        },
                                        draw),
                                    engine())
                        .run(),
                    Contains("the validation stream of epoch 1 is empty"));
  CHECK_THROWS_WITH(
      TrainingSession(
          small_spec(),
          drawn(-1, 21,
                {.sample = {8, 8, 1}, .classes = {"dark", "light"}, .validation_samples = 20}),
          engine())
          .run(),
      Contains("the validation stream of epoch 1 has more than 20 samples; raise"));
}

TEST_CASE("a spec that asks for what no stream has is refused in a line") {
  const auto refused = [](const std::function<void(TrainSpec&)>& change, const char* told) {
    TrainSpec spec = small_spec();
    change(spec);
    CHECK_THROWS_WITH(TrainingSession(spec, drawn(-1), engine()), Contains(told));
  };
  refused([](TrainSpec& o) { o.data.path = "photos"; }, "on a stream or on DATA, not on both");
  refused([](TrainSpec& o) { o.images.featurewise_center = true; },
          "--featurewise-center looks at samples before the run");
  refused([](TrainSpec& o) { o.data.replay = 2; }, "--replay looks at samples before the run");
  refused([](TrainSpec& o) { o.labels.class_weight = "balanced"; }, "Row::weight()");
  refused([](TrainSpec& o) { o.labels.class_names = {"a", "b"}; }, "StreamFacts::classes");
  refused(
      [](TrainSpec& o) {
        o.images.size = ImageSize{9, 8};
      },
      "the samples of the stream are 8x8x1");
  refused(
      [](TrainSpec& o) {
        o.steps_per_epoch = 0;
        o.schedule.kind = nn::ScheduleKind::cosine;
      },
      "the steps of the run are unknown; give --decay-steps or --steps-per-epoch");
  const auto facts_refused = [](StreamFacts facts, const char* told) {
    CHECK_THROWS_WITH(TrainingSession(small_spec(), drawn(-1, 20, facts), engine()),
                      Contains(told));
  };
  facts_refused({.sample = {8, 8, 4}, .classes = {"a", "b"}}, "StreamFacts::sample: expected");
  facts_refused({.sample = {8, 8, 1}, .classes = {"a"}},
                "StreamFacts::classes: expected the names");
  facts_refused({.sample = {8, 8, 1}, .classes = {"a", "a"}},
                "StreamFacts::classes: 'a' is there twice");
  facts_refused({.sample = {2}, .classes = {"a", "b"}, .targets = {"y"}},
                "samples have classes or targets, not both");
  facts_refused({.sample = {2}, .classes = {"a", "b"}, .targets_are_labels = true},
                "there are no targets; name them");
}
