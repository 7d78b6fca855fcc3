#include "engines/compare.h"

#include <millrace/nn/average.h>
#include <millrace/nn/initialize.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "catch.h"

namespace millrace::test {
namespace {

std::int64_t outputs_of(const nn::Model& model) {
  return nn::summarize(model).back().output.elements();
}

/// The largest value or the norm; infinite if there is a NaN.
double size_of(std::span<const double> values, bool by_norm) {
  double size = 0;
  for (const double value : values) {
    if (std::isnan(value)) return INFINITY;
    size = by_norm ? std::hypot(size, value) : std::max(size, std::abs(value));
  }
  return size;
}

double size_of(std::span<const float> values, bool by_norm) {
  return size_of(std::vector<double>(values.begin(), values.end()), by_norm);
}

/// A rounding can turn an answer whose two best outputs are neighbours.
void check_result(const nn::StepResult& result, const nn::StepResult& expected, Nearness nearness) {
  CHECK(result.loss_sum == Approx(expected.loss_sum).epsilon(nearness.tolerance));
  CHECK(result.weight_sum == Approx(expected.weight_sum));
  CHECK(std::abs(result.correct - expected.correct) <= (nearness.by_norm ? 1 : 0));
  CHECK(result.samples == expected.samples);
}

}  // namespace

OwnedBatch::OwnedBatch(const nn::Model& model, nn::Loss loss, std::int64_t samples,
                       std::uint64_t seed) {
  Random random(seed, 0, 0, Purpose::user);
  const Shape shape = model.input.with_front(samples);
  input_.resize(static_cast<std::size_t>(shape.elements()));
  for (float& x : input_) x = static_cast<float>(random.normal());
  const std::int64_t k = outputs_of(model);
  batch_.input = ConstTensorView(std::span<const float>(input_), shape);
  if (loss == nn::Loss::softmax_cross_entropy) {
    labels_.resize(static_cast<std::size_t>(samples));
    for (auto& label : labels_) {
      label = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(k)));
    }
    batch_.labels = ConstTensorView(std::span<const std::int32_t>(labels_), {samples});
  } else {
    dense_labels_.resize(static_cast<std::size_t>(samples * k));
    for (float& label : dense_labels_) label = random.coin(0.5) ? 1.0F : 0.0F;
    batch_.labels = ConstTensorView(std::span<const float>(dense_labels_), {samples, k});
  }
  for (std::int64_t i = 0; i < samples; ++i) {
    weights_.push_back(static_cast<float>(random.uniform(0.5, 1.5)));
    positions_.push_back(1000 + random.below(1000));
  }
  batch_.weights = weights_;
  batch_.positions = positions_;
  batch_.samples = samples;
  batch_.pass = 3;
}

void OwnedBatch::weigh_outputs(std::uint64_t seed) {
  REQUIRE(!dense_labels_.empty());
  Random random(seed, 2, 0, Purpose::user);
  weights_.clear();
  for (float& label : dense_labels_) {
    weights_.push_back(static_cast<float>(random.uniform(0.5, 1.5)));
    if (random.below(3) != 0) continue;
    weights_.back() = 0;
    label = std::nanf("");
  }
  batch_.weights = weights_;
  batch_.weighs_outputs = true;
}

std::vector<float> random_weights(const nn::Model& model, std::uint64_t seed) {
  const auto parameters = nn::parameters(model);
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(parameters)));
  nn::initialize(model, seed, values);
  Random random(seed, 1, 0, Purpose::user);
  for (const nn::Parameter& parameter : parameters) {
    if (parameter.role == nn::Role::kernel) continue;
    for (std::int64_t i = 0; i < parameter.shape.elements(); ++i) {
      values[static_cast<std::size_t>(parameter.offset + i)] +=
          static_cast<float>(random.uniform(0.0, 0.2));
    }
  }
  return values;
}

std::unique_ptr<nn::Executor> executor(const nn::Engine& engine, const nn::Model& model,
                                       const nn::CompileOptions& options) {
  auto made = engine.compile(model, options);
  made->allocate();
  made->write(nn::Arena::parameters, random_weights(model, 11));
  return made;
}

std::vector<float> read(const nn::Executor& executor, nn::Arena arena) {
  const auto parameters = nn::parameters(executor.model());
  const auto elements = arena == nn::Arena::parameters ? nn::arena_elements(parameters)
                                                       : nn::trainable_elements(parameters);
  std::vector<float> values(static_cast<std::size_t>(elements));
  executor.read(arena, values);
  return values;
}

std::vector<float> predict(nn::Executor& executor, const nn::Batch& batch) {
  const std::int64_t outputs = outputs_of(executor.model());
  std::vector<float> values(static_cast<std::size_t>(batch.samples * outputs));
  executor.predict(batch, values);
  return values;
}

void check_close(const std::string& what, std::span<const float> values,
                 std::span<const float> expected, Nearness nearness, double at_least) {
  REQUIRE(values.size() == expected.size());
  std::vector<double> differences;
  for (std::size_t i = 0; i < values.size(); ++i) {
    differences.push_back(double{values[i]} - double{expected[i]});
  }
  const double difference = size_of(std::span<const double>(differences), nearness.by_norm);
  const double size = std::max(at_least, size_of(expected, nearness.by_norm));
  INFO(what << ": differs by " << difference << " where the reference has " << size);
  CHECK(difference <= nearness.tolerance * size);
}

void check_arena(const nn::Executor& executor, const nn::Executor& reference, nn::Arena arena,
                 Nearness nearness) {
  const std::vector<float> values = read(executor, arena);
  const std::vector<float> expected = read(reference, arena);
  const auto part = [](std::span<const float> all, const nn::Parameter& parameter) {
    return all.subspan(static_cast<std::size_t>(parameter.offset),
                       static_cast<std::size_t>(parameter.shape.elements()));
  };
  const auto is_in = [&](const nn::Parameter& parameter) {
    return arena == nn::Arena::parameters || parameter.trainable;
  };
  std::map<int, double> largest;  // by layer
  for (const nn::Parameter& parameter : nn::parameters(executor.model())) {
    if (!is_in(parameter)) continue;
    double& of_layer = largest[parameter.layer];
    of_layer = std::max(of_layer, size_of(part(expected, parameter), nearness.by_norm));
  }
  for (const nn::Parameter& parameter : nn::parameters(executor.model())) {
    if (!is_in(parameter)) continue;
    check_close(parameter.name, part(values, parameter), part(expected, parameter), nearness,
                largest[parameter.layer]);
  }
}

void check_model(const nn::Engine& tested_engine, const nn::Engine& reference_engine,
                 const nn::Model& model, nn::CompileOptions options,
                 const std::vector<std::int64_t>& samples, Nearness nearness) {
  options.seed = 5;
  const nn::Loss loss = options.loss.value_or(nn::default_loss(model));
  const auto tested = executor(tested_engine, model, options);
  const auto reference = executor(reference_engine, model, options);
  std::uint64_t seed = 100;
  for (const std::int64_t count : samples) {
    INFO("a batch of " << count << " of " << options.batch);
    const OwnedBatch data(model, loss, count, ++seed);
    const nn::Batch& batch = data.batch();
    check_close("prediction", predict(*tested, batch), predict(*reference, batch), nearness);
    check_result(tested->evaluate(batch), reference->evaluate(batch), nearness);
    check_result(tested->gradients(batch), reference->gradients(batch), nearness);
    check_arena(*tested, *reference, nn::Arena::gradients, nearness);
  }
  for (std::int64_t t = 1; t <= 3; ++t) {
    INFO("step " << t);
    const OwnedBatch data(model, loss, options.batch, 7 + static_cast<std::uint64_t>(t));
    const double rate = options.optimizer.learning_rate;
    check_result(tested->train(data.batch(), t, rate), reference->train(data.batch(), t, rate),
                 nearness);
  }
  check_arena(*tested, *reference, nn::Arena::parameters, nearness);
}

void check_weighed_outputs(const nn::Engine& tested_engine, const nn::Engine& reference_engine,
                           const nn::Model& model, const nn::CompileOptions& options,
                           Nearness nearness) {
  const auto tested = executor(tested_engine, model, options);
  const auto reference = executor(reference_engine, model, options);
  OwnedBatch data(model, *options.loss, options.batch - 1, 100);
  data.weigh_outputs(5);
  const nn::Batch& batch = data.batch();
  check_result(tested->evaluate(batch), reference->evaluate(batch), nearness);
  check_result(tested->gradients(batch), reference->gradients(batch), nearness);
  check_arena(*tested, *reference, nn::Arena::gradients, nearness);
  const double rate = options.optimizer.learning_rate;
  check_result(tested->train(batch, 1, rate), reference->train(batch, 1, rate), nearness);
  check_arena(*tested, *reference, nn::Arena::parameters, nearness);
}

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
  const double rate = options.optimizer.learning_rate;
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
    CHECK_THROWS_WITH(tested.train(batch, 9, 0.1), Catch::Contains("averages stand"));
    CHECK_THROWS_WITH(reference.train(batch, 9, 0.1), Catch::Contains("averages stand"));
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
  const double rate = options.optimizer.learning_rate;
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

nn::ReferenceEngine reference_for(nn::Precision precision) {
  const bool is_16_bit = nn::storage_of(precision) != DType::f32;
  return nn::ReferenceEngine({.precision = is_16_bit ? precision : nn::Precision::fp32});
}

}  // namespace millrace::test
