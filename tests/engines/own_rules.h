#pragma once
// Update rules of a user's own on engines.

#include <millrace/nn/engine.h>
#include <millrace/nn/optimizers/rule.h>

#include <vector>

#include "catch.h"
#include "engines/compare.h"

namespace millrace::test {

/// With a momentum, the sum of gradients in place of the gradient.
struct HeavyWithMomentum : nn::RateSteps {
  using Rule = HeavyWithMomentum;
  static constexpr int kStates = 1;
  template <class Real>
  struct Fixed {
    Real momentum;
  };
  static Fixed<double> fixed(const nn::UpdateOptions& options) { return {options.momentum}; }
  template <class Math, class Real>
  static void apply(const Fixed<Real>& c, const Step<Real>& now, Real gradient, Real& weight,
                    Real& sum) {
    sum = Math::multiply_add(c.momentum, sum, gradient);
    weight -= now.rate * sum;
  }
};

struct Heavy : nn::RateSteps {
  static constexpr nn::OptimizerInfo kInfo{
      .name = "heavy", .learning_rate = 0.1, .has_momentum = true};
  using Rule = Heavy;
  using WithMomentum = HeavyWithMomentum;
  static constexpr int kStates = 0;
  template <class Real>
  struct Fixed {
    Real unused;
  };
  static Fixed<double> fixed(const nn::UpdateOptions& /*options*/) { return {0}; }
  template <class Math, class Real>
  static void apply(const Fixed<Real>& /*c*/, const Step<Real>& now, Real gradient, Real& weight) {
    weight -= now.rate * gradient;
  }
};

/// Six steps are three, and three more of another executor that got what the first one kept.
inline void check_resumed(const nn::Engine& engine, const nn::OptimizerOptions& optimizer,
                          Nearness nearness = {}) {
  const nn::Model model =
      nn::ModelBuilder("m", {6, 5, 3}).conv(5).relu().flatten().dense(3).softmax().build();
  const nn::CompileOptions options{.batch = 4, .optimizer = optimizer};
  const auto train = [&](nn::Executor& executor, int from, int to) {
    for (int t = from; t <= to; ++t) {
      const OwnedBatch data(model, nn::default_loss(model), 4, static_cast<std::uint64_t>(t));
      executor.train(data.batch(), t, 0.01);
    }
  };
  const auto whole = executor(engine, model, options), first = executor(engine, model, options);
  train(*whole, 1, 6);
  train(*first, 1, 3);
  const auto second = executor(engine, model, options);
  std::vector<nn::Arena> arenas{nn::Arena::parameters};
  for (int i = 0; i < nn::state_arenas(optimizer); ++i) arenas.push_back(nn::state_arena(i));
  for (const nn::Arena arena : arenas) second->write(arena, read(*first, arena));
  train(*second, 4, 6);
  for (const nn::Arena arena : arenas) {
    // Arenas are read in float32; the reference engine, which keeps more, loses the rest.
    check_close("resumed", read(*second, arena), read(*whole, arena), nearness);
  }
}

}  // namespace millrace::test
