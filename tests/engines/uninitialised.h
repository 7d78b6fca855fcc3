#pragma once
// What an engine's executors say before they have weights.

#include "catch.h"
#include "engines/compare.h"

#include <millrace/nn/initialize.h>
#include <millrace/nn/make_executor.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

/// No way to train a model whose weights nobody wrote; evaluation is not asked.
inline void check_uninitialised(const nn::Engine& engine) {
  const nn::Model model = nn::ModelBuilder("fresh", {5}).dense(4).relu().dense(3).softmax().build();
  const std::string told =
      "the model 'fresh' has no weights to train yet: write(Arena::parameters, ...) what "
      "initialize() fills, or begin with make_executor()";
  const OwnedBatch data(model, nn::default_loss(model), 4, 7);
  const std::array<double, 1> rates{0.1};
  for (const std::int64_t accumulate : {1, 2}) {
    const nn::CompileOptions options{.batch = 4, .accumulate = accumulate};
    const std::unique_ptr<nn::Executor> executor = engine.compile(model, options);
    std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
    nn::initialize(model, 3, weights);
    for (int time = 0; time < 2; ++time) {
      executor->allocate();  // forgets what was written
      CHECK_THROWS_WITH(executor->train(data.batch(), 1, 0.1), told);
      CHECK_THROWS_WITH(executor->start_train(data.batch(), 1, 0.1), told);
      CHECK_THROWS_WITH(executor->start_steps(data.batch(), 4, 1, rates), told);
      CHECK_THROWS_WITH(executor->gradients(data.batch()), told);
      if (accumulate > 1) CHECK_THROWS_WITH(executor->start_accumulate(data.batch(), true), told);
      executor->write(nn::Arena::parameters, weights);
      CHECK(executor->train(data.batch(), 1, 0.1).samples == 4);
    }
  }
}

/// make_executor() is compile, allocate, initialize and write.
inline void check_made(const nn::Engine& engine) {
  const nn::Model model = nn::ModelBuilder("fresh", {5}).dense(4).relu().dense(3).softmax().build();
  const nn::CompileOptions options{
      .batch = 4, .optimizer = {.kind = nn::OptimizerKind::adam, .learning_rate = 0.125}};
  const OwnedBatch data(model, nn::default_loss(model), 4, 7);
  const std::unique_ptr<nn::Executor> executor = nn::make_executor(engine, model, options, 3);
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  nn::initialize(model, 3, weights);
  CHECK(read(*executor, nn::Arena::parameters) == weights);
  CHECK(executor->learning_rate() == 0.125);
  CHECK(executor->train(data.batch(), 1, executor->learning_rate()).samples == 4);
  CHECK(nn::make_executor(engine, model)->learning_rate() == 0.01);  // what is usual for SGD
  CHECK(nn::make_executor(engine, model, {.optimizer = {.kind = nn::OptimizerKind::adam}})
            ->learning_rate() == 0.001);
}

}  // namespace millrace::test
