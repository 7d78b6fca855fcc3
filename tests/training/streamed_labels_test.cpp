// What samples of a stream say of themselves in a session: labels that become those of a model,
// targets, and pixels of a model that looks at whole samples.

#include "catch.h"
#include "io/scratch.h"

#include <millrace/cpu/engine.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/training/session.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <vector>

using namespace millrace;
using Catch::Contains;
using test::Scratch;

namespace {

constexpr int kSamples = 24;
constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();

std::shared_ptr<const nn::Engine> engine() {
  return cpu::make_engine({.threads = 1});
}

TrainSpec small_spec() {
  return {.data = {.path = {}, .validation_share = 0},
          .model = {.name = "mlp:6"},
          .epochs = 2,
          .batch = 8,
          .shuffle = false,
          .machine = {.threads = 2, .memory_budget = 256_MiB}};
}

Generator<int> count(int n) {
  for (int i = 0; i < n; ++i) co_yield i;
}

template <class F>
StreamedData counted(StreamFacts facts, F write) {
  return streamed_data(
      std::move(facts),
      [](Phase phase, std::uint32_t) { return count(phase == Phase::training ? kSamples : 0); },
      std::move(write));
}

/// The weights and the loss of each epoch.
struct Trained {
  std::vector<float> weights;
  std::vector<double> losses;
  std::int64_t holes = 0;
  friend bool operator==(const Trained&, const Trained&) = default;
};

Trained trained(TrainingSession session) {
  Trained told;
  for (const EpochRecord& epoch : session.run().epochs) {
    told.losses.push_back(epoch.training.mean_loss());
    told.holes += epoch.holes;
  }
  told.weights = session.training().state->weights();
  return told;
}

std::uint8_t pixel(int sample, std::size_t i) {
  return static_cast<std::uint8_t>(sample * 37 + static_cast<int>(i) * 11 * (sample % 3 + 1));
}

void write_pixels(int sample, Row row) {
  for (std::size_t i = 0; i < row.pixels().size(); ++i) row.pixels()[i] = pixel(sample, i);
}

const std::vector<std::string> kClasses{"disc", "square", "star"};

}  // namespace

TEST_CASE("labels of a stream become those of the model that it trains further, by their names") {
  const Scratch scratch;
  const std::string file = (scratch / "m.safetensors").string();
  const auto of_classes = [&](const std::vector<std::string>& classes, bool writes_target) {
    return counted({.sample = {4, 4, 1}, .classes = classes}, [=](int sample, Row row) {
      write_pixels(sample, row);
      const auto found =
          std::find(classes.begin(), classes.end(), kClasses[static_cast<std::size_t>(sample % 3)]);
      const auto label = static_cast<std::size_t>(found - classes.begin());
      if (!writes_target) return row.label(static_cast<int>(label));
      row.target()[label] = 0.75F;
      row.target()[(label + 1) % 3] = 0;
    });
  };
  {
    TrainingSession session(small_spec(), of_classes(kClasses, false), engine());
    session.run();
    session.save(file);
  }
  TrainSpec spec = small_spec();
  spec.model = {.name = file, .weights = file};
  spec.labels.class_mode = GENERATE(ClassMode::sparse, ClassMode::categorical);
  for (const bool writes_target : {false, true}) {
    if (writes_target && spec.labels.class_mode == ClassMode::sparse) continue;
    const Trained same =
        trained(TrainingSession(spec, of_classes(kClasses, writes_target), engine()));
    const Trained permuted = trained(
        TrainingSession(spec, of_classes({"star", "disc", "square"}, writes_target), engine()));
    CHECK(permuted == same);
  }
  CHECK_THROWS_WITH(TrainingSession(spec, of_classes({"star", "disc", "ring"}, false), engine()),
                    Contains("the stream: has a class 'ring' that " + file + " lacks"));
}

TEST_CASE("a run on a stream goes on where its classes come in another order") {
  const Scratch scratch;
  const auto of_classes = [&](const std::vector<std::string>& classes) {
    return counted({.sample = {4, 4, 1}, .classes = classes}, [=](int sample, Row row) {
      write_pixels(sample, row);
      const auto found =
          std::find(classes.begin(), classes.end(), kClasses[static_cast<std::size_t>(sample % 3)]);
      row.label(static_cast<int>(found - classes.begin()));
    });
  };
  TrainSpec spec = small_spec();
  spec.epochs = 4;
  const Trained whole = trained(TrainingSession(spec, of_classes(kClasses), engine()));
  spec.epochs = 2;
  spec.run = {.directory = scratch / "run", .events = false};
  TrainingSession(spec, of_classes(kClasses), engine()).run();
  const Trained rest =
      trained(TrainingSession::resume(scratch / "run", of_classes({"star", "disc", "square"}),
                                      engine(), [](TrainSpec& changed) { changed.epochs = 4; }));
  CHECK(rest.weights == whole.weights);
}

TEST_CASE("a label that is no class of a stream is an error of its sample, or leaves it out") {
  const auto labelled = [](auto label) {
    return counted({.sample = {4, 4, 1}, .classes = kClasses}, [=](int sample, Row row) {
      write_pixels(sample, row);
      if (sample == 5)
        label(row);
      else
        row.label(sample % 3);
    });
  };
  const auto run = [](const StreamedData& data, BadImages bad) {
    TrainSpec spec = small_spec();
    spec.data.on_bad_image = bad;
    return trained(TrainingSession(spec, data, engine()));
  };
  const auto none = labelled([](Row) {});
  const auto too_large = labelled([](Row row) { row.label(3); });
  CHECK_THROWS_WITH(run(none, BadImages::fail),
                    "write: training sample #5: samples have classes, and label() of the row was "
                    "not called");
  CHECK_THROWS_WITH(run(too_large, BadImages::fail),
                    "write: training sample #5: label: 3 is none of the 3 classes, 0 to 2");
  for (const StreamedData& data : {none, too_large}) CHECK(run(data, BadImages::skip).holes == 2);
}

TEST_CASE("images of a stream train a model that centres each sample as those of files do") {
  const Scratch scratch;
  for (int i = 0; i < kSamples; ++i) {
    std::string image = "P5 4 4 255\n";
    for (std::size_t j = 0; j < 16; ++j) image += static_cast<char>(pixel(i, j));
    // Class folders are read class by class.
    (void)scratch.write(concat(i < kSamples / 2 ? "data/a/" : "data/b/", 100 + i, ".pgm"), image);
  }
  TrainSpec spec = small_spec();
  spec.images.samplewise_center = true;
  spec.images.samplewise_std = GENERATE(false, true);
  const auto stream =
      counted({.sample = {4, 4, 1}, .classes = {"a", "b"}}, [](int sample, Row row) {
        CHECK_THROWS_WITH(row.values(), "batches hold u8, which are no values: write pixels()");
        write_pixels(sample, row);
        row.label(sample < kSamples / 2 ? 0 : 1);
      });
  const Trained streamed = trained(TrainingSession(spec, stream, engine()));
  spec.data.path = (scratch / "data").string();
  CHECK(streamed == trained(TrainingSession(spec, engine())));
}

namespace {

/// Two columns, and of each row the targets y and z, of which the z of every fourth is unknown.
std::vector<float> row_of(int i, bool are_labels) {
  const auto a = static_cast<float>(i * 7 % 10), b = static_cast<float>(i * 3 % 8);
  return {a, b, are_labels ? (b > 3 ? 1.0F : 0.0F) : a + 2 * b,
          i % 4 == 3 ? kUnknown
          : a > b    ? 1.0F
                     : 0.0F};
}

StreamFacts facts_of_targets(bool are_labels) {
  return {.sample = {2}, .targets = {"y", "z"}, .targets_are_labels = are_labels};
}

StreamedData stream_of_targets(bool are_labels, int wrong = -1, float value = 0) {
  return counted(facts_of_targets(are_labels), [=](int sample, Row row) {
    const std::vector<float> numbers = row_of(sample, are_labels);
    std::copy_n(numbers.begin(), 2, row.values().begin());
    std::copy_n(numbers.begin() + 2, 2, row.target().begin());
    if (sample == wrong) row.target()[1] = value;
  });
}

}  // namespace

TEST_CASE("a stream with targets trains to the bits of a table with the same rows") {
  const Scratch scratch;
  const bool are_labels = GENERATE(false, true);
  std::ostringstream table;
  table << "a,b,y,z\n";
  for (int i = 0; i < kSamples; ++i) {
    const std::vector<float> row = row_of(i, are_labels);
    table << row[0] << ',' << row[1] << ',' << row[2] << ',';
    if (!std::isnan(row[3])) table << row[3];
    table << '\n';
  }
  TrainSpec spec = small_spec();
  TrainingSession session(spec, stream_of_targets(are_labels), engine());
  const nn::Model model = session.training().model;
  CHECK(model.targets == std::vector<std::string>{"y", "z"});
  CHECK(model.layers.back().kind.is<nn::Sigmoid>() == are_labels);
  CHECK(session.training().data.description == "a stream of 2 samples with 2 targets: y, z");
  spec.data.path = scratch.write("t.csv", table.str()).string();
  spec.data.table.targets = {"y", "z"};
  const Trained streamed = trained(std::move(session));
  CHECK(streamed == trained(TrainingSession(spec, engine())));
  CHECK(streamed.losses[1] < streamed.losses[0]);
}

TEST_CASE("targets of a stream are measured in validation, and watched where they are known") {
  TrainSpec spec = small_spec();
  spec.callbacks.monitor = "val_r2 y";
  const auto run = [&](int known) {
    StreamFacts facts = facts_of_targets(false);
    facts.validation_samples = kSamples;
    return TrainingSession(spec,
                           streamed_data(
                               facts, [](Phase, std::uint32_t) { return count(kSamples); },
                               [known](int sample, Row row) {
                                 const std::vector<float> numbers = row_of(sample, false);
                                 std::copy_n(numbers.begin(), 2, row.values().begin());
                                 const std::span<float> target = row.target();
                                 std::copy_n(numbers.begin() + 2, 2, target.begin());
                                 const bool is_training = row.phase() == Phase::training;
                                 if (is_training || sample < known) return;
                                 target[0] = kUnknown;
                                 if (known == 0) target[1] = kUnknown;
                               }),
                           engine())
        .run();
  };
  const EpochRecord last = run(kSamples).epochs.back();
  CHECK_FALSE(last.value("val_accuracy"));
  for (const char* name : {"val_loss", "val_mae", "val_r2", "val_r2 y"}) {
    INFO(name);
    CHECK(last.value(name));
  }
  CHECK_THROWS_WITH(run(1), Contains("'val_r2 y' is to be watched and is not defined"));
  CHECK_THROWS_WITH(run(0), Contains("no target is known of a validation sample in epoch 1"));
}

TEST_CASE("a target of a stream that is none is an error of its sample") {
  const auto run = [](const StreamedData& data) {
    return TrainingSession(small_spec(), data, engine()).run();
  };
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(run(stream_of_targets(false, 7, kInfinity)),
                    "write: training sample #7: target 1: expected a finite number, or NaN for one "
                    "that is not known, not inf");
  CHECK_THROWS_WITH(run(stream_of_targets(true, 7, 2)),
                    "write: training sample #7: target 1: expected a label in 0..1, or NaN for one "
                    "that is not known, not 2");
  CHECK_THROWS_WITH(run(counted(facts_of_targets(false),
                                [](int sample, Row row) {
                                  sample == 7 ? row.label(1) : void(row.target()[0] = 1);
                                })),
                    "write: training sample #7: samples have targets, and target() of the row was "
                    "not called");
}

TEST_CASE("a model that gives labels is not trained on numbers of a stream") {
  const Scratch scratch;
  const std::string file = (scratch / "m.safetensors").string();
  {
    TrainingSession session(small_spec(), stream_of_targets(true), engine());
    session.run();
    session.save(file);
  }
  TrainSpec spec = small_spec();
  spec.model.name = file;
  CHECK_THROWS_WITH(TrainingSession(spec, stream_of_targets(false), engine()),
                    Contains("StreamFacts::targets_are_labels: the model ends in the sigmoid "
                             "'output', which gives labels in 0..1; set it"));
}
