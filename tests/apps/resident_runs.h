#pragma once
// Options and data of small runs whose data may be resident.

#include "apps/data.h"
#include "apps/training.h"
#include "io/scratch.h"
#include "nodes/numbered.h"

#include <millrace/nn/model_json.h>
#include <millrace/training/resident_feed.h>
#include <millrace/training/train_spec.h>

#include <cstdint>
#include <memory>
#include <set>
#include <utility>

namespace millrace::test {

constexpr std::uint32_t kTraining = 43, kValidation = 11;

inline apps::TrainingData data_with(const std::set<std::uint32_t>& bad = {}) {
  const auto all = std::make_shared<const Numbered>(kTraining + kValidation, Shape{6, 6, 1}, bad);
  apps::TrainingData data;
  data.training.dataset = data.validation.dataset = all;
  for (std::uint32_t i = 0; i < kTraining + kValidation; ++i) {
    (i % 5 == 2 ? data.validation : data.training).samples.push_back(i);
  }
  return data;
}

/// A model whose steps depend on all that a batch carries: dropout on pass and positions, batch
/// norm on how many samples there are.
inline TrainSpec options_in(const Scratch& scratch, bool freezes = false) {
  nn::ModelBuilder builder("small", {6, 6, 1});
  builder.conv(8).batch_norm().relu().max_pool().flatten();
  nn::Model model = builder.dropout(0.3F).dense(10).relu().dense(2).softmax().build();
  model.preprocessing.scale = 1.0F / 255;
  if (freezes) model.layers.front().trainable = false;
  TrainSpec o;
  o.model.name = scratch.write(freezes ? "frozen.json" : "model.json", nn::to_json(model)).string();
  o.epochs = 3;
  o.batch = 8;
  o.optimizer.kind = nn::OptimizerKind::adam;
  o.optimizer.learning_rate = 0.01;
  o.machine.threads = 2;
  o.machine.compute_threads = 1;
  o.machine.memory_budget = 1_GiB;
  o.run.checkpoints = false;
  return o;
}

/// What a resident run has in the device's memory.
inline const ResidentData& resident_data(const apps::Training& training) {
  return dynamic_cast<const ResidentFeed&>(*training.feed).data();
}

inline TrainSpec resident(TrainSpec options) {
  options.data.resident = true;
  return options;
}

}  // namespace millrace::test
