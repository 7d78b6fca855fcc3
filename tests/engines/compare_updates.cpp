#include "engines/compare_updates.h"

#include <millrace/nn/average.h>

#include <algorithm>
#include <memory>

#include "catch.h"

namespace millrace::test {
namespace {

/// Takes the parts of a batch as a group, and one update.
nn::StepResult train_in_parts(nn::Executor& executor, const nn::Batch& batch, std::int64_t rows,
                              std::int64_t t, double rate) {
  for (std::int64_t first = 0; first < batch.samples; first += rows) {
    executor.start_accumulate(nn::slice(batch, first, std::min(rows, batch.samples - first)),
                              first == 0);
  }
  executor.start_update(t, rate);
  return executor.finish();
}

}  // namespace

void check_groups(const nn::Engine& tested_engine, const nn::Engine& reference_engine,
                  const nn::Model& model, nn::CompileOptions options, Nearness nearness) {
  options.seed = 5;
  const nn::Loss loss = options.loss.value_or(nn::default_loss(model));
  const std::int64_t rows = options.batch;
  options.accumulate = 3;
  const auto tested = executor(tested_engine, model, options);
  const auto reference = executor(reference_engine, model, options);
  nn::CompileOptions large = options;
  large.accumulate = 1;
  large.batch = 3 * rows;
  const auto whole = executor(tested_engine, model, large);
  const double rate = nn::learning_rate(options.optimizer);
  std::int64_t t = 0;
  for (const std::int64_t samples : {3 * rows, 2 * rows, rows + 1, 3 * rows - 2}) {
    INFO("a group of " << samples << " samples in batches of " << rows);
    // In 16 bits weights part a little with each step, and then gradients with them.
    for (nn::Executor* one : {tested.get(), reference.get(), whole.get()}) {
      one->write(nn::Arena::parameters, random_weights(model, 11));
    }
    const OwnedBatch data(model, loss, samples, 7 + static_cast<std::uint64_t>(samples));
    const nn::Batch& batch = data.batch();
    const nn::StepResult result = train_in_parts(*tested, batch, rows, ++t, rate);
    check_result(result, train_in_parts(*reference, batch, rows, t, rate), nearness);
    check_result(whole->train(batch, t, rate), result, nearness);
    check_arena(*tested, *reference, nn::Arena::gradients, nearness);
    check_arena(*tested, *whole, nn::Arena::gradients, nearness);
  }
  check_arena(*tested, *reference, nn::Arena::parameters, nearness);
  check_arena(*tested, *whole, nn::Arena::parameters, nearness);
}

namespace {

/// The trainable elements of an arena of all parameters.
std::vector<float> trainable_part(const nn::Executor& executor) {
  std::vector<float> values = read(executor, nn::Arena::parameters);
  values.resize(static_cast<std::size_t>(nn::trainable_elements(nn::parameters(executor.model()))));
  return values;
}

/// Every third element of a trainable parameter is masked.
std::vector<float> third_masked(const nn::Model& model) {
  const auto parameters = nn::parameters(model);
  std::vector<float> masks(static_cast<std::size_t>(nn::trainable_elements(parameters)));
  for (const nn::Parameter& p : parameters) {
    if (!p.trainable) continue;
    for (std::int64_t i = 0; i < p.shape.elements(); ++i) {
      masks[static_cast<std::size_t>(p.offset + i)] = i % 3 == 0 ? 0.0F : 1.0F;
    }
  }
  return masks;
}

/// What an AverageScope is for, on an executor whose averages are not its weights.
void check_scope(nn::Executor& tested, nn::Executor& reference, const nn::Batch& batch,
                 Nearness nearness) {
  const std::vector<float> weights = read(tested, nn::Arena::parameters);
  const std::vector<float> averages = read(tested, nn::Arena::average);
  const std::vector<float> outputs = predict(tested, batch);
  const nn::StepResult result = tested.evaluate(batch);
  CHECK(trainable_part(tested) != averages);
  {
    const nn::AverageScope first(tested), second(reference);
    CHECK(trainable_part(tested) == averages);
    check_close("prediction", predict(tested, batch), predict(reference, batch), nearness);
    CHECK(predict(tested, batch) != outputs);
    check_result(tested.evaluate(batch), reference.evaluate(batch), nearness);
    CHECK_THROWS_WITH(tested.train(batch, 9, 0.1), Catch::Contains("averages are in place of"));
    CHECK_THROWS_WITH(reference.train(batch, 9, 0.1), Catch::Contains("averages are in place of"));
  }
  CHECK(read(tested, nn::Arena::parameters) == weights);
  CHECK(read(tested, nn::Arena::average) == averages);
  CHECK(predict(tested, batch) == outputs);
  CHECK(tested.evaluate(batch).loss_sum == result.loss_sum);
}

}  // namespace

void check_averages(const nn::Engine& tested_engine, const nn::Engine& reference_engine,
                    const nn::Model& model, nn::CompileOptions options, Nearness nearness) {
  options.seed = 5;
  options.average = 0.8;
  options.masks = true;
  options.accumulate = 2;
  const nn::Loss loss = options.loss.value_or(nn::default_loss(model));
  const auto tested = executor(tested_engine, model, options);
  const auto reference = executor(reference_engine, model, options);
  const auto lines = tested->memory();
  CHECK(std::any_of(lines.begin(), lines.end(),
                    [](const nn::MemoryLine& line) { return line.name == "average"; }));
  CHECK(read(*tested, nn::Arena::average) == trainable_part(*tested));
  const double rate = nn::learning_rate(options.optimizer);
  const OwnedBatch data(model, loss, options.batch, 7), group(model, loss, 2 * options.batch, 8);
  for (std::int64_t t = 1; t <= 4; ++t) {
    INFO("step " << t);
    const bool is_masked = t > 2;
    for (nn::Executor* one : {tested.get(), reference.get()}) {
      if (is_masked) one->write(nn::Arena::masks, third_masked(model));
      if (t == 4) {
        train_in_parts(*one, group.batch(), options.batch, t, rate);
      } else {
        one->train(data.batch(), t, rate);
      }
    }
    check_arena(*tested, *reference, nn::Arena::average, nearness);
    check_scope(*tested, *reference, data.batch(), nearness);
    if (!is_masked) continue;
    const std::vector<float> averages = read(*tested, nn::Arena::average);
    const std::vector<float> masks = third_masked(model);
    for (std::size_t i = 0; i < masks.size(); ++i) {
      if (masks[i] == 0 && averages[i] != 0) FAIL("a masked average is " << averages[i]);
    }
  }
  const std::vector<float> given = random_weights(model, 12);
  tested->write(nn::Arena::parameters, given);
  CHECK(read(*tested, nn::Arena::average) == trainable_part(*tested));
}

}  // namespace millrace::test
