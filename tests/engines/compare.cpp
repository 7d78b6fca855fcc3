#include "engines/compare.h"

#include <millrace/nn/initialize.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

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
  return executor.read(arena);
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

void check_result(const nn::StepResult& result, const nn::StepResult& expected, Nearness nearness) {
  CHECK(result.loss_sum == Approx(expected.loss_sum).epsilon(nearness.tolerance));
  CHECK(result.weight_sum == Approx(expected.weight_sum));
  // A rounding can turn an answer whose two best outputs are neighbours.
  CHECK(std::abs(result.correct - expected.correct) <= (nearness.by_norm ? 1 : 0));
  CHECK(result.samples == expected.samples);
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
    const double rate = nn::learning_rate(options.optimizer);
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
  const double rate = nn::learning_rate(options.optimizer);
  check_result(tested->train(batch, 1, rate), reference->train(batch, 1, rate), nearness);
  check_arena(*tested, *reference, nn::Arena::parameters, nearness);
}

nn::ReferenceEngine reference_for(nn::Precision precision) {
  const bool is_16_bit = nn::storage_of(precision) != DType::f32;
  return nn::ReferenceEngine({.precision = is_16_bit ? precision : nn::Precision::fp32});
}

}  // namespace millrace::test
