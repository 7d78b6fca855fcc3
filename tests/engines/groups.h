#pragma once
// Groups of batches whose gradients one update takes: where they begin, and what is left of one
// that is dropped.

#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "catch.h"
#include "engines/compare.h"

namespace millrace::test {

inline nn::Model normed_model() {
  nn::ModelBuilder builder("normed", {8, 8, 3});
  builder.conv(5).batch_norm().relu().flatten().dense(7).batch_norm().relu().dense(3).softmax();
  return builder.build();
}

/// A group that nobody begins is begun by its first batch, behind allocate() and behind an update.
inline void check_begun_groups(const nn::Engine& engine, nn::CompileOptions options) {
  const nn::Model model = normed_model();
  options.accumulate = 3;
  const nn::Loss loss = nn::default_loss(model);
  const OwnedBatch data(model, loss, options.batch, 7);
  const auto trained = [&](bool says_so) {
    const auto executor = test::executor(engine, model, options);
    executor->write(nn::Arena::parameters, random_weights(model, 11));
    nn::StepResult result;
    for (std::int64_t t = 1; t <= 2; ++t) {
      executor->start_accumulate(data.batch(), says_so);
      executor->start_accumulate(data.batch(), false);
      executor->start_update(t, executor->learning_rate());
      result += executor->finish();
    }
    CHECK(result.samples == 4 * options.batch);
    return std::pair(read(*executor, nn::Arena::parameters), result.loss_sum);
  };
  CHECK(trained(false) == trained(true));
}

/// A group that is dropped leaves all parameters as they were before it, running statistics among
/// them, to the bit, and what comes is as if it had not been.
inline void check_dropped_groups(const nn::Engine& engine, nn::CompileOptions options) {
  const nn::Model model = normed_model();
  options.accumulate = 3;
  options.average = 0.8;
  const nn::Loss loss = nn::default_loss(model);
  const OwnedBatch data(model, loss, options.batch, 7), dropped(model, loss, options.batch, 8);
  const auto all_of = [&](nn::Executor& executor) {
    return std::tuple(read(executor, nn::Arena::parameters), read(executor, nn::Arena::average),
                      predict(executor, data.batch()));
  };
  const auto trained = [&](bool drops) {
    const auto executor = test::executor(engine, model, options);
    executor->write(nn::Arena::parameters, random_weights(model, 11));
    executor->drop_group();  // there is none
    std::vector<double> losses;
    for (std::int64_t t = 1; t <= 2; ++t) {
      if (drops) {
        const auto before = all_of(*executor);
        executor->start_accumulate(dropped.batch(), true);
        executor->start_accumulate(data.batch(), false);
        CHECK(all_of(*executor) != before);
        executor->drop_group();
        CHECK(all_of(*executor) == before);
        CHECK_THROWS_WITH(executor->start_update(t, 0.1), Catch::Contains("start_accumulate()"));
        executor->drop_group();
        CHECK(all_of(*executor) == before);
      }
      executor->start_accumulate(data.batch(), false);
      executor->start_update(t, executor->learning_rate());
      losses.push_back(executor->finish().loss_sum);
    }
    return std::pair(all_of(*executor), losses);
  };
  CHECK(trained(true) == trained(false));
}

}  // namespace millrace::test
