// The steps themselves are recorded from PyTorch, and checked with those of the other optimizers.

#include <millrace/nn/optimizer.h>

#include "catch.h"

namespace {

using namespace millrace;
using namespace millrace::nn;

const OptimizerOptions kRmsprop{.kind = OptimizerKind::rmsprop};

double after_one_step(const OptimizerOptions& options, double gradient) {
  std::vector<double> weights{1}, gradients{gradient}, square{0}, buffer{0};
  std::vector<std::span<double>> states{square, buffer};
  states.resize(static_cast<std::size_t>(state_arenas(options)));
  update(options, 0.01, 1, weights, gradients, states);
  return weights[0];
}

TEST_CASE("rmsprop has PyTorch's usual values, and others on request") {
  const OptimizerInfo& info = optimizer_info(OptimizerKind::rmsprop);
  CHECK(info.learning_rate == 0.01);
  const UpdateOptions usual = update_options(kRmsprop);
  CHECK(usual.beta2 == 0.99);
  CHECK(usual.epsilon == 1e-8);
  CHECK(update_options({.kind = OptimizerKind::rmsprop, .beta2 = 0.0}).beta2 == 0);
  CHECK(update_options({.kind = OptimizerKind::adam}).beta2 == 0.999);
}

TEST_CASE("rmsprop keeps one state, and with momentum a second one") {
  OptimizerOptions options = kRmsprop;
  CHECK(state_arenas(options) == 1);
  options.momentum = 0.9;
  CHECK(state_arenas(options) == 2);
}

TEST_CASE("rmsprop has a momentum but not Nesterov's, and says so") {
  OptimizerOptions options = kRmsprop;
  options.momentum = 0.9;
  CHECK_NOTHROW(validate(options));
  options.nesterov = true;
  CHECK_THROWS_WITH(validate(options), "nesterov: rmsprop has none");
}

TEST_CASE("The first step of rmsprop is of one size for every gradient but tiny ones") {
  // torch.optim.RMSprop 2.15.0 in float64
  CHECK(after_one_step(kRmsprop, 0.5) == Approx(0.900000019999996).epsilon(1e-14));
  CHECK(after_one_step(kRmsprop, -20) == Approx(1.0999999995).epsilon(1e-14));
  CHECK(after_one_step(kRmsprop, 1e-8) == Approx(0.990909090909091).epsilon(1e-14));
}

}  // namespace
