// What holds for any graph of layers, for a thousand of them.

#include <millrace/nn/model_json.h>
#include <millrace/nn/reference/check_gradients.h>

#include "catch.h"
#include "engines/random_models.h"

#include <algorithm>

namespace {

using namespace millrace;
using namespace millrace::nn;

constexpr std::uint64_t kGraphs = 1000;

TEST_CASE("Gradients of random graphs are those of finite differences") {
  double worst = 0;
  int drawn_again = 0;
  for (std::uint64_t seed = 1; seed <= kGraphs; ++seed) {
    const Model model = test::random_model(seed);
    INFO("seed " << seed << '\n' << to_json(model));
    const GradientCheck result =
        check_gradients(model, {.seed = seed, .samples = 2, .directions = 1});
    INFO(result.where);
    REQUIRE(result.largest_error < 1e-6);
    REQUIRE(result.checks > 0);
    worst = std::max(worst, result.largest_error);
    drawn_again += result.drawn_again;
  }
  WARN("largest error " << worst << "; drawn again " << drawn_again << " times");
}

TEST_CASE("Random graphs come back from JSON") {
  for (std::uint64_t seed = 1; seed <= kGraphs; ++seed) {
    const Model model = test::random_model(seed);
    REQUIRE(model_from_json(to_json(model)) == model);
  }
}

}  // namespace
