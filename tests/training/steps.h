#pragma once
// A very small model, and batches for its steps, without a pipeline.

#include <millrace/cpu/engine.h>
#include <millrace/nn/make_executor.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/nodes/device_batch.h>
#include <millrace/training/training_state.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

inline nn::CompileOptions small_options() {
  return {.batch = 4, .optimizer = {.kind = nn::OptimizerKind::adam}};
}

inline nn::Model small_model() {
  return nn::ModelBuilder("small", {2, 2, 1}).flatten().dense(3).relu().dense(1).sigmoid().build();
}

/// Allocated, with the weights of a seed. Not the reference engine: float32 weights, so that what
/// is saved is all there is.
inline std::shared_ptr<nn::Executor> small_executor(const nn::Model& model = small_model(),
                                                    nn::CompileOptions options = small_options()) {
  return nn::make_executor(*cpu::make_engine({.threads = 1}), model, options, 3);
}

inline std::shared_ptr<TrainingState> small_state(
    std::shared_ptr<nn::Executor> executor = small_executor()) {
  return std::make_shared<TrainingState>(std::move(executor), arenas_of(small_options()));
}

/// A learning rate for all steps.
inline double tenth(double, std::uint64_t) {
  return 0.1;
}

/// All that a checkpoint of the state holds.
inline std::string told(const TrainingState& state) {
  Checkpoint checkpoint;
  state.save(checkpoint);
  std::string text;
  for (const auto& [key, value] : checkpoint.values) text += concat(key, '=', value, '\n');
  for (const auto& [name, values] : checkpoint.arrays) {
    for (const float value : values) text += concat(name, ' ', value, '\n');
  }
  return text;
}

/// Batches one after the other, filled with numbers that depend on the tag alone.
class Batches {
 public:
  Batches()
      : pool_("device", 1,
              DeviceBatchFactory{std::make_shared<nn::ReferenceEngine>(), {2, 2, 1}, DType::u8, 4},
              budget_) {}

  Lease<DeviceBatch> operator()(const BatchTag& tag, std::int64_t holes = 0) {
    Lease<DeviceBatch> batch = pool_.try_acquire();
    batch->tag = tag;
    batch->size = 4;
    batch->holes = holes;
    float value = 0.1F * static_cast<float>(1 + tag.epoch * 7 + tag.step * 3);
    for (float& x : batch->input.as<float>()) x = value = value * 1.7F - std::floor(value * 1.7F);
    for (int i = 0; i < 4; ++i)
      batch->labels.as<std::int32_t>()[static_cast<std::size_t>(i)] = i % 2;
    return batch;
  }

  /// The tags of `epochs` epochs of two training steps and one of validation.
  static std::vector<BatchTag> tags(std::uint32_t epochs) {
    std::vector<BatchTag> tags;
    for (std::uint32_t e = 0; e < epochs; ++e) {
      const bool last = e + 1 == epochs;
      tags.push_back({.epoch = e,
                      .step = 0,
                      .steps = 2,
                      .next = {.epoch = e, .step = 1, .pass = e, .position = 4}});
      tags.push_back({.epoch = e,
                      .step = 1,
                      .steps = 2,
                      .ends_phase = true,
                      .next = {.phase = Phase::validation, .epoch = e, .pass = e + 1}});
      tags.push_back({.phase = Phase::validation,
                      .epoch = e,
                      .steps = 1,
                      .ends_phase = true,
                      .ends_epoch = true,
                      .ends_run = last,
                      .next = {.epoch = e + 1, .pass = e + 1}});
    }
    return tags;
  }

 private:
  Budget budget_;
  Pool<DeviceBatch> pool_;
};

}  // namespace millrace::test
