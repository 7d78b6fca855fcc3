// Frozen layers that are computed once: the run is the one that computes them in each step.

#include "training/feature_runs.h"

#include <millrace/nn/reference/engine.h>
#include <millrace/nn/transfer.h>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

// float32 sums in another order, over a hundred steps: far above rounding, far below an update.
constexpr double kRounding = 2e-5;

Trained without_cache(TrainSpec spec) {
  spec.model.cache_features = FeatureCache::no;
  return train_with(spec);
}

}  // namespace

TEST_CASE("frozen layers that are computed once give the losses and weights of each step") {
  const Scratch scratch;
  const std::filesystem::path weights = save_network(scratch / "net.safetensors", small_network());
  TrainSpec spec = frozen_spec(weights);
  spec.seed = GENERATE(1, 2);
  spec.batch = GENERATE(7, 16, 64);  // the last one is more than there are
  const Trained kept = train_with(spec);
  CHECK_THAT(kept.features, Contains("'global_avg_pool1' and all before it are computed once"));
  CHECK_THAT(kept.features, Contains("56 samples, 6 numbers each in fp32"));
  const Trained plain = without_cache(spec);
  CHECK(plain.features.empty());
  check_near(kept, plain, kRounding);
  CHECK(kept.losses.front() != kept.losses[kept.losses.size() - 2]);  // it learns
}

TEST_CASE("in float64 kept features differ from computed ones by their rounding to float32") {
  const Scratch scratch;
  TrainSpec spec = frozen_spec(save_network(scratch / "net.safetensors", small_network()));
  const auto engine = std::make_shared<const nn::ReferenceEngine>();
  TrainingSession with(spec, engine);
  spec.model.cache_features = FeatureCache::no;
  TrainingSession without(spec, engine);
  check_near(run_session(with), run_session(without), 2e-6);
}

TEST_CASE("all that a run can have besides goes with kept features") {
  const Scratch scratch;
  TrainSpec spec = frozen_spec(save_network(scratch / "net.safetensors", small_network()));
  const int which = GENERATE(0, 1, 2, 3, 4, 5);
  CAPTURE(which);
  if (which == 0) spec.accumulate = 3;
  if (which == 1) spec.ema = 0.9;
  if (which == 2) spec.steps_per_epoch = 9;  // an endless stream: batches of two passes
  if (which == 3) spec.data.drop_last = true;
  if (which == 4) {
    spec.pruning = {.kind = nn::PruneKind::constant, .final_sparsity = 0.5, .begin = 6};
  }
  if (which == 5) {
    spec.labels.class_weight = "balanced";
    spec.callbacks.metrics = {"f1"};
    spec.gradient.l2 = 0.01;
  }
  check_near(train_with(spec), without_cache(spec), kRounding);
}

TEST_CASE("features that are images are kept too") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("net", {8, 8, 3})
                              .conv(4)
                              .relu()
                              .conv(5)
                              .named("head.conv")
                              .batch_norm()
                              .named("head.norm")
                              .flatten()
                              .dense(3)
                              .softmax()
                              .build();
  const TrainSpec spec = frozen_spec(save_network(scratch / "net.safetensors", model));
  TrainSpec frozen = spec;
  frozen.model.freeze = "conv";
  const Trained kept = train_with(frozen);
  CHECK_THAT(kept.features, Contains("'relu1'") && Contains("144 numbers"));
  check_near(kept, without_cache(frozen), kRounding);
}

TEST_CASE("rows of a table are kept as what frozen layers make of them") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("net", {5})
                              .dense(6)
                              .relu()
                              .dense(3)
                              .softmax()
                              .preprocessing({.scale = 1})
                              .build();
  TrainSpec spec = frozen_spec(save_network(scratch / "net.safetensors", model));
  spec.data.path = "generated:50x5:3";
  spec.model.freeze = "dense1";
  check_near(train_with(spec), without_cache(spec), kRounding);
}

TEST_CASE("fp16 features change losses by less than a thousandth") {
  const Scratch scratch;
  TrainSpec spec = frozen_spec(save_network(scratch / "net.safetensors", small_network()));
  const Trained exact = train_with(spec);
  spec.model.cache_precision = FeaturePrecision::fp16;
  const Trained halves = train_with(spec);
  CHECK_THAT(halves.features, Contains("in fp16, 672 B"));
  check_near(halves, exact, 1e-3);
  CHECK(halves.losses != exact.losses);
}

TEST_CASE("views of each image are drawn once and used in turn") {
  const Scratch scratch;
  TrainSpec spec = frozen_spec(save_network(scratch / "net.safetensors", small_network()));
  spec.augmentation = {.horizontal_flip = true, .rotation_range = 40};
  spec.epochs = 5;
  CHECK_THAT(train_with(spec).features,
             Contains("in each step: images are augmented again in each epoch; --views N"));
  const Trained anew = without_cache(spec);
  spec.augmentation.views = 2;
  const Trained two = train_with(spec);
  CHECK_THAT(two.features, Contains("56 samples in 2 views"));
  check_near(two, without_cache(spec), kRounding);
  CHECK(two.losses != anew.losses);
  spec.augmentation.views = 1;
  CHECK(train_with(spec).losses != two.losses);
}

TEST_CASE("what keeps frozen layers from being computed once is said") {
  const Scratch scratch;
  const std::filesystem::path weights = save_network(scratch / "net.safetensors", small_network());
  const auto said = [&](const auto& change) {
    TrainSpec spec = frozen_spec(weights);
    spec.model.cache_features = FeatureCache::automatic;
    change(spec);
    return describe_features(TrainingSession(spec, feature_engine()).training());
  };
  CHECK_THAT(said([](TrainSpec&) {}), Contains("are computed once") && Contains(" in memory"));
  CHECK_THAT(said([](TrainSpec& s) { s.epochs = 1; }), Contains("no image is seen twice"));
  CHECK_THAT(said([](TrainSpec& s) { s.model.freeze = "conv2"; }),
             Contains("'conv1', which trains, comes before all frozen layers"));
  CHECK(said([](TrainSpec& s) { s.model.freeze.clear(); }).empty());
  CHECK(said([](TrainSpec& s) { s.model.cache_features = FeatureCache::no; }).empty());
  CHECK(said([](TrainSpec& s) { s.data.replay = 2; }).empty());

  const nn::Model random =
      nn::ModelBuilder("net", {8, 8, 3}).conv(4).dropout(0.2F).conv(4).flatten().dense(3).build();
  const std::filesystem::path file = save_network(scratch / "random.safetensors", random);
  CHECK_THAT(said([&](TrainSpec& s) {
               s.model.weights = file.string();
               s.model.freeze = "conv";
             }),
             Contains("'dropout1' draws at random in training"));
}

TEST_CASE("a cache that cannot be is refused where it was asked for") {
  const Scratch scratch;
  const std::filesystem::path weights = save_network(scratch / "net.safetensors", small_network());
  const auto refused = [&](const auto& change, const std::string& why) {
    TrainSpec spec = frozen_spec(weights);
    change(spec);
    CHECK_THROWS_WITH(TrainingSession(spec, feature_engine()).run(), Contains(why));
  };
  refused([](TrainSpec& s) { s.model.freeze.clear(); }, "has no effect without frozen layers");
  refused([](TrainSpec& s) { s.data.replay = 2; }, "--replay and --resident keep samples");
  refused([](TrainSpec& s) { s.model.cache_features = FeatureCache::file; },
          "--cache-features file is of a run that has a directory");
}

TEST_CASE("features that the budget does not hold are computed in each step, with a word") {
  const Scratch scratch;
  const nn::Model model =
      nn::ModelBuilder("net", {8, 8, 3}).conv(64).relu().flatten().dense(3).softmax().build();
  TrainSpec spec = frozen_spec(save_network(scratch / "net.safetensors", model));
  spec.model.freeze = "conv";
  spec.data.path = "generated:700x8x8x3:3";
  spec.epochs = 2;
  TrainSpec uncached = spec;
  uncached.model.cache_features = FeatureCache::no;
  const Bytes without = TrainingSession(uncached, feature_engine()).plan().charged;
  spec.machine.memory_budget = without + 4_MiB;  // of 6.2 MiB of features
  const Trained tight = train_with(spec);
  CHECK_THAT(tight.features, Contains("700 samples, 2,304 numbers each in fp32, 6.2 MiB, does not "
                                      "fit into the memory budget, "));
  CHECK(tight.losses == without_cache(spec).losses);  // to the bit
  spec.model.cache_precision = FeaturePrecision::fp16;
  CHECK_THAT(train_with(spec).features, Contains("are computed once"));
}
