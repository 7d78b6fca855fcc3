#pragma once
// Sessions of tests whose first layers are frozen, and what they come to.

#include "catch.h"
#include "io/scratch.h"

#include <millrace/cpu/engine.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/model.h>
#include <millrace/training/session.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

/// Convolutions with a batch norm, which `frozen_front()` freezes, and a head that draws.
inline nn::Model small_network() {
  return nn::ModelBuilder("net", {8, 8, 3})
      .conv(4)
      .batch_norm()
      .relu()
      .conv(6)
      .relu()
      .global_avg_pool()
      .dense(8)
      .named("head.dense1")
      .relu()
      .dropout(0.3F)
      .dense(3)
      .named("head.dense2")
      .softmax()
      .build();
}

/// The model with weights of a seed, in a file.
inline std::filesystem::path save_network(const std::filesystem::path& file, const nn::Model& model,
                                          std::uint64_t seed = 5) {
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  nn::initialize(model, seed, weights);
  save_model(file, model, weights);
  return file;
}

/// 45 images of three classes, 11 of them held out: neither is a multiple of the batch.
inline TrainSpec frozen_spec(const std::filesystem::path& weights) {
  TrainSpec spec{.data = {.path = "generated:56x8x8x3:3"},
                 .epochs = 4,
                 .batch = 8,
                 .machine = {.threads = 2, .compute_threads = 1, .memory_budget = 256_MiB}};
  spec.model.weights = weights.string();
  spec.model.freeze = "conv,batch_norm";
  spec.model.cache_features = FeatureCache::memory;
  spec.optimizer.learning_rate = 0.01;
  return spec;
}

/// What a run came to.
struct Trained {
  std::vector<double> losses;  ///< training and validation, epoch by epoch
  std::vector<float> weights;  ///< as TrainingState::weights() has them
  std::string features;        ///< describe_features()
  std::string loaded;          ///< Feed::describe() of what was loaded
};

inline std::shared_ptr<const nn::Engine> feature_engine() {
  return cpu::make_engine({.threads = 1});
}

inline Trained run_session(TrainingSession& session) {
  Trained trained{
      .losses = {}, .weights = {}, .features = describe_features(session.training()), .loaded = {}};
  const TrainingResult result = session.run({}, {.on_loaded = [&](const Report&) {
                                              trained.loaded = session.training().feed->describe();
                                            }});
  for (const EpochRecord& epoch : result.epochs) {
    trained.losses.push_back(epoch.training.mean_loss());
    if (epoch.validation) trained.losses.push_back(epoch.validation->mean_loss());
  }
  trained.weights = session.training().state->weights();
  return trained;
}

inline Trained train_with(const TrainSpec& spec) {
  TrainingSession session(spec, feature_engine());
  return run_session(session);
}

/// Whether all losses and weights are near each other.
inline void check_near(const Trained& a, const Trained& b, double tolerance) {
  REQUIRE(a.losses.size() == b.losses.size());
  REQUIRE(a.weights.size() == b.weights.size());
  for (std::size_t i = 0; i < a.losses.size(); ++i) {
    INFO("loss " << i << ": " << a.losses[i] << " and " << b.losses[i]);
    CHECK(std::abs(a.losses[i] - b.losses[i]) <= tolerance);
  }
  double most = 0;
  for (std::size_t i = 0; i < a.weights.size(); ++i) {
    most = std::max(most, static_cast<double>(std::abs(a.weights[i] - b.weights[i])));
  }
  CHECK(most <= tolerance);
}

}  // namespace millrace::test
