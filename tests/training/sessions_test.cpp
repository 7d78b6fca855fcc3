// Evaluation and prediction as a program of a user's own runs them.

#include "catch.h"
#include "nodes/numbered.h"

#include <millrace/nn/initialize.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/training/evaluation.h>
#include <millrace/training/prediction.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <vector>

using namespace millrace;
using Catch::Contains;

namespace {

const Shape kSample{4, 4, 1};

std::shared_ptr<const nn::Engine> reference() {
  return std::make_shared<const nn::ReferenceEngine>();
}

SavedModel model(std::int64_t outputs = 2) {
  SavedModel saved;
  saved.model =
      nn::ModelBuilder("small", kSample).flatten().dense(5).relu().dense(outputs).softmax().build();
  saved.parameters.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(saved.model))));
  nn::initialize(saved.model, 7, saved.parameters);
  return saved;
}

SampleSet samples(std::uint32_t count, std::set<std::uint32_t> bad = {}) {
  return SampleSet::all(std::make_shared<const Numbered>(count, kSample, std::move(bad)));
}

/// One sample as the model sees it, and its label.
struct ByHand {
  std::vector<float> pixels;
  std::vector<std::int32_t> label;

  explicit ByHand(std::uint32_t sample) : label{static_cast<std::int32_t>(sample % 2)} {
    for (std::size_t i = 0; i < 16; ++i) {
      pixels.push_back(static_cast<float>(Numbered::pixel(sample, i)) / 255);
    }
  }
  [[nodiscard]] nn::Batch batch() const {
    return {.input = {std::span<const float>(pixels), kSample.with_front(1)},
            .labels = {std::span<const std::int32_t>(label), {1}},
            .samples = 1};
  }
};

std::unique_ptr<nn::Executor> executor_of(const SavedModel& saved) {
  auto executor = reference()->compile(saved.model, {.batch = 1, .training = false});
  executor->allocate();
  executor->write(nn::Arena::parameters, saved.parameters);
  return executor;
}

}  // namespace

TEST_CASE("an evaluation adds up what the model gives for each sample") {
  const EvaluationSession session(reference(), model(), samples(21), {.pass = {.batch = 4}});
  const auto executor = executor_of(model());
  nn::StepResult expected;
  for (std::uint32_t i = 0; i < 21; ++i) expected += executor->evaluate(ByHand(i).batch());

  for (int run = 0; run < 2; ++run) {
    std::uint64_t told = 0;
    const Evaluation result = session.run({[&](std::uint64_t count) { told = count; }, {}});
    CHECK(told == 21);
    CHECK(result.sum.samples == 21);
    CHECK(result.sum.correct == expected.correct);
    CHECK(result.sum.mean_loss() == Approx(expected.mean_loss()).epsilon(1e-6));
    CHECK(result.metrics.samples() == 21);
    CHECK(result.metrics.accuracy() == Approx(expected.accuracy()));
    CHECK_FALSE(result.report.stopped);
  }
}

TEST_CASE("samples that cannot be read are in no figure of an evaluation, and are counted") {
  const SampleSet set = samples(20, {3, 8, 9});
  const auto lost = std::make_shared<LostSamples>(set, SampleSet{});
  const EvaluationSession session(reference(), model(), set,
                                  {.pass = {.batch = 8, .on_bad_image = skip(), .lost = lost}});
  const Evaluation result = session.run();
  CHECK(result.sum.samples == 17);
  CHECK(result.metrics.samples() == 17);
  CHECK(lost->count(set, Phase::training) == 3);
  CHECK(result.report.stage("decode").skipped == 3);

  const EvaluationSession strict(reference(), model(), set, {.pass = {.batch = 8}});
  CHECK_THROWS_WITH((void)strict.run(), Contains("decode: sample"));
}

TEST_CASE("an evaluation measures what it is asked for, of losses as they were in training") {
  const EvaluationSession plain(reference(), model(3), samples(20), {});
  CHECK_THROWS((void)plain.run());  // the data have two classes, the model three outputs
  const EvaluationSession session(
      reference(), model(), samples(20),
      {.metrics = {.top_k = {2}, .auc = true}, .compile = {.label_smoothing = 0.2}});
  const Evaluation smooth = session.run();
  CHECK(smooth.metrics.top_k(2) == 1);
  CHECK(smooth.metrics.value("auc") >= 0);
  const Evaluation sharp = EvaluationSession(reference(), model(), samples(20)).run();
  CHECK(smooth.sum.correct == sharp.sum.correct);
  CHECK(smooth.sum.mean_loss() != Approx(sharp.sum.mean_loss()));
}

TEST_CASE("an evaluation ends early where it is asked to, and tells so") {
  const EvaluationSession session(reference(), model(), samples(20), {});
  std::stop_source stop;
  stop.request_stop();
  const Evaluation result = session.run({{}, stop.get_token()});
  CHECK(result.report.stopped);
  CHECK(result.sum.samples == 0);
}

TEST_CASE("sessions are refused by their budget before they take memory") {
  const OnePassOptions small{.budget = 1_KiB};
  CHECK_THROWS_AS((void)EvaluationSession(reference(), model(), samples(20), {.pass = small}).run(),
                  BudgetError);
  const PredictionSession session(reference(), model(), samples(20), small);
  CHECK_THROWS_AS((void)session.run([](const Predicted&) {}), BudgetError);
}

TEST_CASE("a prediction tells the outputs of each sample in order") {
  const auto executor = executor_of(model());
  const PredictionSession session(reference(), model(), samples(21, {5, 6}),
                                  {.batch = 4, .on_bad_image = skip()});
  std::vector<std::uint32_t> seen;
  const Report report = session.run([&](const Predicted& some) {
    for (std::size_t i = 0; i < some.samples.size(); ++i) {
      std::vector<float> expected(2);
      executor->predict(ByHand(some.samples[i]).batch(), expected);
      REQUIRE(some.outputs(i).size() == 2);
      CHECK(some.outputs(i)[0] == Approx(expected[0]));
      CHECK(some.outputs(i)[1] == Approx(expected[1]));
      seen.push_back(some.samples[i]);
    }
  });
  CHECK(seen.size() == 19);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(std::count(seen.begin(), seen.end(), 5U) == 0);
  CHECK(report.skipped.size() == 2);
}

namespace {

/// Remembers for how many steps it was asked to compile.
class CountingEngine final : public nn::Engine {
 public:
  [[nodiscard]] std::string description() const override { return engine_.description(); }
  [[nodiscard]] Buffer host_buffer(Bytes size) const override { return engine_.host_buffer(size); }
  [[nodiscard]] Buffer device_buffer(Bytes size) const override {
    return engine_.device_buffer(size);
  }
  [[nodiscard]] bool shares_host_memory() const override { return true; }
  [[nodiscard]] std::unique_ptr<nn::Executor> compile(
      const nn::Model& model, const nn::CompileOptions& options) const override {
    steps_ = options.steps;
    return engine_.compile(model, options);
  }
  [[nodiscard]] std::optional<std::uint64_t> steps() const { return steps_; }

 private:
  nn::ReferenceEngine engine_;
  mutable std::optional<std::uint64_t> steps_;
};

}  // namespace

TEST_CASE("a pass tells its engine for how many steps it compiles") {
  const auto engine = std::make_shared<const CountingEngine>();
  const EvaluationSession evaluation(engine, model(), samples(21), {.pass = {.batch = 4}});
  CHECK(engine->steps() == 6U);
  const PredictionSession few(engine, model(), samples(3), {.batch = 4});
  CHECK(engine->steps() == 1U);
}

TEST_CASE("a prediction of some samples calls them by their numbers in the data set") {
  SampleSet some = samples(21);
  some.samples = {20, 4, 11};
  const PredictionSession session(reference(), model(), some, {.batch = 32});
  CHECK(session.pass().batch() == 3);
  std::vector<std::uint32_t> seen;
  (void)session.run([&](const Predicted& told) {
    seen.insert(seen.end(), told.samples.begin(), told.samples.end());
  });
  CHECK(seen == some.samples);
}
