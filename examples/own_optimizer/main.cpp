// Your own update rule, compared with Adam. What you learn: a rule with two numbers of state for
// each weight (nesterov_adam.h), register_optimizer(), and how a stopped run resumes with the same
// weights as one that was not stopped.

#include "nesterov_adam.h"

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/optimizers/registry.h>

#include <iostream>
#include <vector>

using namespace millrace;

constexpr std::int64_t kSamples = 128, kColumns = 8;

/// Whether the sum of the columns' squares is above its mean.
struct Samples {
  std::vector<float> columns;
  std::vector<std::int32_t> labels;

  Samples() {
    Random random(1, 0, 0, Purpose::synthetic);
    for (std::int64_t i = 0; i < kSamples; ++i) {
      double sum = 0;
      for (std::int64_t j = 0; j < kColumns; ++j) {
        columns.push_back(static_cast<float>(random.normal()));
        sum += static_cast<double>(columns.back()) * static_cast<double>(columns.back());
      }
      labels.push_back(sum > kColumns ? 1 : 0);
    }
  }
  [[nodiscard]] nn::Batch batch() const {
    return {.input = {std::span<const float>(columns), {kSamples, kColumns}},
            .labels = {std::span<const std::int32_t>(labels), {kSamples}},
            .samples = kSamples};
  }
};

/// The state of a run: the weights, and what the optimizer keeps for each of them.
struct State {
  std::vector<float> weights, average, square;
};

class Run {
 public:
  explicit Run(nn::OptimizerKind kind)
      : executor_(cpu::make_engine({.threads = 1})
                      ->compile(model_, {.batch = kSamples, .optimizer = {.kind = kind}})) {
    executor_->allocate();
  }
  void set(const State& state) {
    executor_->write(nn::Arena::parameters, state.weights);
    executor_->write(nn::Arena::state0, state.average);
    executor_->write(nn::Arena::state1, state.square);
  }
  [[nodiscard]] State get() const {
    State state = first();
    executor_->read(nn::Arena::parameters, state.weights);
    executor_->read(nn::Arena::state0, state.average);
    executor_->read(nn::Arena::state1, state.square);
    return state;
  }
  /// With which every run begins.
  [[nodiscard]] State first() const {
    const auto parameters = nn::parameters(model_);
    State state;
    state.weights.resize(static_cast<std::size_t>(nn::arena_elements(parameters)));
    state.average.resize(static_cast<std::size_t>(nn::trainable_elements(parameters)));
    state.square = state.average;
    nn::initialize(model_, 1, state.weights);
    return state;
  }
  /// The loss of the last step. Steps count from 1: the rule corrects its averages by the number.
  double train(int from, int to) {
    double loss = 0;
    for (int t = from; t <= to; ++t) loss = executor_->train(data_.batch(), t, 0.002).mean_loss();
    return loss;
  }

 private:
  nn::Model model_ =
      nn::ModelBuilder("squares", {kColumns}).dense(32).relu().dense(1).sigmoid().build();
  Samples data_;
  std::unique_ptr<nn::Executor> executor_;
};

int main() {
  const nn::OptimizerKind kind = nn::register_optimizer<NesterovAdam>();

  Run adam(nn::OptimizerKind::adam), nesterov(kind);
  adam.set(adam.first());
  nesterov.set(nesterov.first());
  const double usual = adam.train(1, 200), own = nesterov.train(1, 200);
  std::cout << "loss after 200 steps: adam " << usual << ", " << nn::to_string(kind) << ' ' << own
            << '\n';

  // A checkpoint has the optimizer's name; a program that resumes finds the rule by it.
  Run begun(nn::optimizer_kind("nesterov_adam")), resumed(nn::optimizer_kind("nesterov_adam"));
  begun.set(begun.first());
  begun.train(1, 100);
  resumed.set(begun.get());
  resumed.train(101, 200);
  const bool is_same = resumed.get().weights == nesterov.get().weights;
  std::cout << "resumed after 100: " << (is_same ? "the same weights\n" : "other weights\n");
  return own < usual && is_same ? 0 : 1;
}
