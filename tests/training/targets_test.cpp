// Training on tables with targets, against PyTorch, and what is refused.

#include "catch.h"
#include "io/scratch.h"
#include "nn/recorded.h"

#include <millrace/cpu/engine.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/training/evaluation.h>
#include <millrace/training/outputs.h>
#include <millrace/training/prediction.h>
#include <millrace/training/saved_model.h>
#include <millrace/training/session.h>

#include <cmath>
#include <sstream>

using namespace millrace;
using Catch::Contains;
using test::Scratch;

namespace {

/// A table of the record, with a header; null is an empty cell.
std::string text_of(const nlohmann::json& record) {
  std::ostringstream text;
  text.precision(9);
  for (std::size_t i = 0; i < record["features"][0].size(); ++i) text << 'x' << i << ',';
  const std::size_t targets = record["targets"][0].size();
  for (std::size_t i = 0; i < targets; ++i) text << 'y' << i << (i + 1 < targets ? "," : "\n");
  for (std::size_t row = 0; row < record["features"].size(); ++row) {
    for (const auto& value : record["features"][row]) text << value.get<float>() << ',';
    for (std::size_t i = 0; i < targets; ++i) {
      const auto& value = record["targets"][row][i];
      if (!value.is_null()) text << value.get<float>();
      text << (i + 1 < targets ? "," : "\n");
    }
  }
  return text.str();
}

std::vector<std::string> targets_of(const nlohmann::json& record) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < record["targets"][0].size(); ++i) names.push_back(concat('y', i));
  return names;
}

/// The recorded model with its first weights, as a file.
std::string save_start(const nlohmann::json& record, bool are_labels, const Scratch& scratch) {
  const auto outputs = static_cast<std::int64_t>(record["targets"][0].size());
  nn::ModelBuilder builder("recorded", {4});
  builder.dense(8).relu().dense(outputs).preprocessing({.scale = 1});
  if (are_labels) builder.sigmoid();
  const nn::Model model = builder.build();
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(parameters)));
  for (const nn::Parameter& parameter : parameters) {
    const std::vector<double> values = test::flat(record["weights"][parameter.name]);
    std::transform(values.begin(), values.end(), weights.begin() + parameter.offset,
                   [](double value) { return static_cast<float>(value); });
  }
  const auto file = scratch / "start.safetensors";
  save_model(file, model, weights);
  return file.string();
}

/// The losses of 100 steps through the whole pipeline, batches in the order of the rows.
std::vector<double> losses_of(const nlohmann::json& record, bool are_labels,
                              std::shared_ptr<const nn::Engine> engine, const Scratch& scratch) {
  const std::string start = save_start(record, are_labels, scratch);
  TrainSpec spec{.data = {.path = scratch.write("t.csv", text_of(record)).string(),
                          .validation_share = 0,
                          .table = {.targets = targets_of(record)}},
                 .model = {.name = start, .weights = start},
                 .epochs = 25,
                 .batch = record["batch"],
                 .shuffle = false,
                 .machine = {.threads = 1, .memory_budget = 256_MiB}};
  spec.optimizer.learning_rate = record["rate"];
  std::vector<double> losses;
  TrainingSession session(spec, std::move(engine));
  session.run(
      {}, {.on_step = [&](const StepRecord& step) { losses.push_back(step.result.mean_loss()); }});
  return losses;
}

/// Rows of "a,b,y,z": y is a + 2 b, z is 1 where a > b; the z of every fourth row is unknown.
std::string rows(int count) {
  std::string text = "a,b,y,z\n";
  for (int i = 0; i < count; ++i) {
    const int a = i * 7 % 10, b = i * 3 % 8;
    text += concat(a, ',', b, ',', a + 2 * b, ',', i % 4 == 3 ? "" : a > b ? "1" : "0", '\n');
  }
  return text;
}

TrainSpec spec_of(const Scratch& scratch, std::vector<std::string> targets) {
  return {.data = {.path = scratch.write("rows.csv", rows(60)).string(),
                   .table = {.targets = std::move(targets)}},
          .model = {.name = "mlp:8"},
          .epochs = 2,
          .batch = 8,
          .machine = {.threads = 1, .memory_budget = 256_MiB}};
}

std::shared_ptr<const nn::Engine> engine() {
  return cpu::make_engine({.threads = 1});
}

std::string refusal(TrainSpec spec) {
  return test::error_of([&] { TrainingSession session(std::move(spec), engine()); });
}

}  // namespace

TEST_CASE(
    "a hundred steps on a table with targets give PyTorch's losses, also where some are "
    "unknown") {
  const nlohmann::json records = test::recorded("targets.json")["trainings"];
  for (const auto& [kind, record] : records.items()) {
    const auto expected = record["losses"].get<std::vector<double>>();
    REQUIRE(expected.size() == 100);
    const auto check = [&](std::shared_ptr<const nn::Engine> on, double tolerance) {
      const Scratch scratch;
      const std::vector<double> losses =
          losses_of(record, kind == "labels", std::move(on), scratch);
      REQUIRE(losses.size() == expected.size());
      for (std::size_t i = 0; i < losses.size(); ++i) {
        INFO(kind << ", step " << i + 1);
        CHECK(losses[i] == Approx(expected[i]).epsilon(tolerance));
      }
    };
    check(std::make_shared<const nn::ReferenceEngine>(), 1e-9);
    check(engine(), 1e-4);
  }
}

TEST_CASE("a model gets the end that its targets want, and their names") {
  const Scratch scratch;
  const TrainingSession numbers(spec_of(scratch, {"y", "z"}), engine());
  const nn::Model& model = numbers.training().model;
  CHECK(model.targets == std::vector<std::string>{"y", "z"});
  CHECK(model.classes.empty());
  CHECK(model.layers.back().kind.is<nn::Dense>());
  CHECK(model.table.target_columns == std::vector<std::int64_t>{3, 4});
  CHECK(numbers.spec().callbacks.metrics == std::vector<std::string>{"mae", "r2"});
  CHECK(numbers.training().data.description == "60 rows with 2 targets: y, z");
  const TrainingSession labels(spec_of(scratch, {"z"}), engine());
  CHECK(labels.training().model.layers.back().kind.is<nn::Sigmoid>());
  CHECK(labels.spec().callbacks.metrics == std::vector<std::string>{"binary_accuracy"});
  TrainSpec with_head = spec_of(scratch, {"y", "z"});
  with_head.model.head = "dense:4:relu,dense";
  const TrainingSession headed(with_head, engine());
  CHECK(headed.training().model.layers.back().kind.is<nn::Dense>());
}

TEST_CASE("measures of targets are told of each epoch in place of accuracy") {
  const Scratch scratch;
  TrainSpec spec = spec_of(scratch, {"y", "z"});
  spec.callbacks.metrics = {"r2", "mse z"};
  spec.callbacks.monitor = "val_mae";
  TrainingSession session(spec, engine());
  const EpochRecord record = session.run().epochs.back();
  CHECK_FALSE(record.value("accuracy"));
  CHECK_FALSE(record.value("val_accuracy"));
  CHECK(record.value("val_loss"));
  for (const char* name : {"val_r2", "val_mse z", "val_mae"}) {
    INFO(name);
    CHECK(record.value(name));
  }
  const EpochRecord back = epoch_from_text(to_text(record));
  CHECK_FALSE(back.has_accuracy);
  CHECK(back.is_best == record.is_best);
}

TEST_CASE("evaluation of targets measures the model's outputs over what is known") {
  const Scratch scratch;
  TrainSpec spec = spec_of(scratch, {"y", "z"});
  spec.epochs = 3;
  TrainingSession session(spec, engine());
  session.run();
  session.save(scratch / "m.safetensors");
  const SampleSet& all = session.training().data.training;
  const EvaluationSession evaluation(engine(), load_model(scratch / "m.safetensors"),
                                     SampleSet::all(all.dataset));
  const Evaluation result = evaluation.run();
  REQUIRE(result.targets);
  const std::vector<nn::TargetFigures> each = result.targets->per_target();
  CHECK(each[0].known == 60);
  CHECK(each[1].known == 45);
  // By hand, from what the same model predicts.
  std::vector<double> squares(2);
  PredictionSession(engine(), load_model(scratch / "m.safetensors"), SampleSet::all(all.dataset))
      .run([&](const Predicted& some) {
        for (std::size_t i = 0; i < some.samples.size(); ++i) {
          std::vector<float> wanted(2);
          all.dataset->target(some.samples[i], wanted);
          for (std::size_t j = 0; j < 2; ++j) {
            if (std::isnan(wanted[j])) continue;
            const double error = double{some.outputs(i)[j]} - double{wanted[j]};
            squares[j] += error * error;
          }
        }
      });
  CHECK(each[0].mse == Approx(squares[0] / 60).epsilon(1e-6));
  CHECK(each[1].mse == Approx(squares[1] / 45).epsilon(1e-6));
  CHECK(result.sum.mean_loss() == Approx((squares[0] + squares[1]) / 120).epsilon(1e-5));
}

TEST_CASE("what does not go with targets is refused by its name") {
  const Scratch scratch;
  const TrainSpec good = spec_of(scratch, {"y", "z"});
  const auto refused = [&](auto change) {
    TrainSpec spec = good;
    change(spec);
    return refusal(std::move(spec));
  };
  CHECK_THAT(refused([](TrainSpec& o) { o.labels.class_mode = ClassMode::sparse; }),
             Contains("--class-mode sparse is for classes, and the data have targets"));
  CHECK_THAT(refused([](TrainSpec& o) { o.labels.class_weight = "balanced"; }),
             Contains("the data have targets and no classes; leave --class-weight out"));
  CHECK_THAT(refused([](TrainSpec& o) {
               o.labels.class_names = {"a", "b"};
             }),
             Contains("--class-names gives names to classes, and") && Contains("has none"));
  CHECK_THAT(refused([](TrainSpec& o) { o.callbacks.monitor = "val_accuracy"; }),
             Contains("counts no right answers; watch loss or val_loss"));
  CHECK_THAT(refused([](TrainSpec& o) { o.callbacks.monitor = "val_auc"; }),
             Contains("metric 'auc' is for labels of 0 and 1"));
  CHECK_THAT(refused([](TrainSpec& o) { o.callbacks.monitor = "lots"; }),
             Contains("--monitor lots: there is no such figure"));
  CHECK_THAT(refused([](TrainSpec& o) { o.callbacks.metrics = {"precision"}; }),
             Contains("unknown metric 'precision' of targets; known: mse, mae, r2"));
  CHECK_THAT(refused([](TrainSpec& o) { o.loss = nn::Loss::sigmoid_cross_entropy; }),
             Contains("end the model in sigmoid"));
  CHECK_THAT(refused([](TrainSpec& o) { o.loss = nn::Loss::softmax_cross_entropy; }),
             Contains("end the model in softmax") || Contains("not a mean over outputs"));
  CHECK_THAT(refused([](TrainSpec& o) { o.label_smoothing = 0.1; }),
             Contains("--label-smoothing 0.1: the labels of mean squared error are numbers, not"));
  TrainSpec labels = spec_of(scratch, {"z"});
  labels.callbacks.monitor = "val_accuracy";
  CHECK_THAT(refusal(labels), Contains("watch loss, val_loss or val_binary_accuracy"));
}

TEST_CASE("a model of another width than the targets is refused with both") {
  const Scratch scratch;
  TrainSpec spec = spec_of(scratch, {"y", "z"});
  const auto of = [&](nn::ModelBuilder builder) {
    builder.preprocessing({.scale = 1});
    const nn::Model model = builder.build();
    std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
    const auto file = scratch / "m.safetensors";
    save_model(file, model, weights);
    spec.model.name = file.string();
    return refusal(spec);
  };
  CHECK_THAT(of(nn::ModelBuilder("m", {2}).dense(3)),
             Contains("the model has 3 outputs, the data 2 targets: y, z; it is the layer 'dense1' "
                      "that gives them"));
  CHECK_THAT(of(nn::ModelBuilder("m", {2}).dense(2).softmax()),
             Contains("the softmax 'softmax1' gives shares of one whole"));
  CHECK_THAT(of(nn::ModelBuilder("m", {2}).dense(2).sigmoid()),
             Contains("the target 'y' goes from 0 to 23, and the sigmoid 'sigmoid1' gives numbers "
                      "in 0..1"));
  CHECK(of(nn::ModelBuilder("m", {2}).dense(2)).empty());
}

TEST_CASE("a target of which nothing is known to train on is refused") {
  const Scratch scratch;
  TrainSpec spec = spec_of(scratch, {"y", "w"});
  spec.data.path = scratch.write("w.csv", "a,y,w\n1,2,\n3,4,NA\n5,6,\n7,8,\n").string();
  CHECK_THAT(refusal(spec), Contains("w.csv: the target 'w' is known of no sample to train on; "
                                     "leave it out of --targets"));
}

TEST_CASE("a run with targets goes on, and with other targets is refused") {
  const Scratch scratch;
  TrainSpec spec = spec_of(scratch, {"y", "z"});
  spec.epochs = 4;
  spec.run.directory = scratch / "whole";
  TrainingSession(spec, engine()).run();
  spec.run.directory = scratch / "run";
  spec.epochs = 2;
  TrainingSession(spec, engine()).run();
  const auto until_4 = [](TrainSpec& changed) { changed.epochs = 4; };
  CHECK(TrainingSession::resume(scratch / "run", engine(), until_4).run().epochs.size() == 4);
  CHECK(read_file(scratch / "run/model.safetensors") ==
        read_file(scratch / "whole/model.safetensors"));
  CHECK_THAT(test::error_of([&] {
               (void)TrainingSession::resume(scratch / "run", engine(), [](TrainSpec& changed) {
                 changed.data.table.targets = {"z", "y"};
               });
             }),
             Contains("the run was started with --targets y,z, not z,y"));
}
