// Losses and update rules as a user writes them, on oneDNN beside the float64 reference.

#include <millrace/nn/losses/registry.h>
#include <millrace/nn/optimizers/registry.h>

#include "catch.h"
#include "cpu/compare.h"
#include "engines/own_rules.h"
#include "own_loss/quantile.h"
#include "own_optimizer/nesterov_adam.h"

using namespace millrace;
using nn::ModelBuilder;

namespace {

const std::vector<cpu::EngineOptions> kEngines{
    {.threads = 1}, {.threads = 2}, {.threads = 2, .sharing = cpu::Sharing::slices}};

/// Channels that fill no block of the engine's layouts, and kernels of several parts of work.
nn::Model network() {
  ModelBuilder builder("m", {6, 5, 3});
  return builder.conv(20).relu().flatten().dense(40).relu().dense(4).build();
}

}  // namespace

TEST_CASE("A loss of a user's own agrees with float64, whatever the threads") {
  const nn::CompileOptions options{
      .batch = 7, .loss = nn::register_loss<Quantile90>(), .optimizer = {.learning_rate = 0.1}};
  for (const cpu::EngineOptions& engine : kEngines) {
    INFO("threads " << engine.threads);
    test::check_model(network(), options, {7, 3}, engine);
    test::check_weighed_outputs(*cpu::make_engine(engine), nn::ReferenceEngine(), network(),
                                options);
  }
}

TEST_CASE("A rule of a user's own agrees with float64, whatever the threads") {
  const nn::OptimizerKind adam = nn::register_optimizer<NesterovAdam>();
  const nn::OptimizerKind heavy = nn::register_optimizer<test::Heavy>();
  for (const nn::OptimizerOptions& optimizer :
       {nn::OptimizerOptions{.kind = adam, .learning_rate = 1e-3, .epsilon = 1e-3},
        {.kind = adam, .learning_rate = 1e-3, .epsilon = 1e-3, .weight_decay = 0.1},
        {.kind = heavy, .learning_rate = 0.1},
        {.kind = heavy, .learning_rate = 0.1, .momentum = 0.9}}) {
    INFO(nn::to_string(optimizer.kind) << ", decay " << optimizer.weight_decay);
    for (const cpu::EngineOptions& engine : kEngines) {
      test::check_model(network(),
                        {.batch = 7,
                         .loss = nn::Loss::mean_squared_error,
                         .optimizer = optimizer,
                         .gradient = {.l2 = 0.01, .clip_global_norm = 1}},
                        {7, 3}, engine);
    }
  }
}

TEST_CASE("A run goes on to the bit with the states of a rule of a user's own") {
  test::check_resumed(*cpu::make_engine({.threads = 1}),
                      {.kind = nn::register_optimizer<NesterovAdam>()}, {.tolerance = 0});
}

TEST_CASE("Steps of a rule of a user's own are the same to the bit each time, on two threads") {
  const nn::Model model = network();
  const nn::CompileOptions options{.batch = 7,
                                   .loss = nn::Loss::mean_squared_error,
                                   .optimizer = {.kind = nn::register_optimizer<NesterovAdam>()}};
  const auto once = [&] {
    const auto executor = test::executor(*cpu::make_engine({.threads = 2}), model, options);
    for (int t = 1; t <= 3; ++t) {
      const test::OwnedBatch data(model, *options.loss, 7, static_cast<std::uint64_t>(t));
      executor->train(data.batch(), t, 0.01);
    }
    return test::read(*executor, nn::Arena::parameters);
  };
  CHECK(once() == once());
}
