// The exponential moving average of weights, on the reference engine.

#include "engines/compare.h"
#include "nn/recorded_average.h"

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>

using namespace millrace;
using namespace millrace::nn;

namespace {

Model small() {
  return ModelBuilder("small", {6}).dense(5).batch_norm().relu().dense(3).softmax().build();
}

}  // namespace

TEST_CASE("Averages, and losses with them, are PyTorch's in float64") {
  const ReferenceEngine engine;
  // What is read is float32.
  for (const auto& record : test::recorded("average.json")) {
    DYNAMIC_SECTION(record["options"]) {
      test::check_recorded_average(engine, record, 1.2e-7);
    }
  }
}

TEST_CASE("An average that is the weight already stays it to the bit, zeros among them") {
  for (const float weight : {0.0F, 0.1F, -1.7e-20F, 3e30F}) {
    CHECK(averaged<PlainMath>(weight, weight, 0.001F) == weight);
    CHECK(averaged<FusedMath>(weight, weight, 0.001F) == weight);
  }
}

TEST_CASE("A momentum of an average that is out of range is refused, and so is what keeps none") {
  const ReferenceEngine engine;
  for (const double momentum : {0.0, 1.0, -0.5, 1.5, std::nan("")}) {
    CHECK_THROWS_AS(engine.compile(small(), {.average = momentum}), UsageError);
  }
  const auto without = test::executor(engine, small(), {.batch = 4});
  CHECK_FALSE(without->keeps_average());
  std::vector<float> values(test::read(*without, Arena::gradients).size());
  CHECK_THROWS_WITH(without->read(Arena::average, values), Catch::Contains("average"));
  CHECK_THROWS_WITH(without->swap_average(), Catch::Contains("CompileOptions::average"));
  const auto evaluates =
      test::executor(engine, small(), {.batch = 4, .training = false, .average = 0.9});
  CHECK_FALSE(evaluates->keeps_average());
}

TEST_CASE("The guard brings weights back where an exception passes through it") {
  const auto executor = test::executor(ReferenceEngine(), small(), {.batch = 4, .average = 0.9});
  const test::OwnedBatch data(small(), Loss::softmax_cross_entropy, 4, 1);
  executor->train(data.batch(), 1, 0.1);
  const std::vector<float> weights = test::read(*executor, Arena::parameters);
  CHECK_THROWS_WITH(
      [&] {
        const AverageScope averages(*executor);
        {
          const AverageScope inner(*executor);
          CHECK(executor->is_swapped());
        }
        CHECK(test::read(*executor, Arena::parameters) != weights);
        throw Error("on the way");
      }(),
      "on the way");
  CHECK(test::read(*executor, Arena::parameters) == weights);
  CHECK_NOTHROW(executor->train(data.batch(), 2, 0.1));
}

TEST_CASE("A step of fp16 that is skipped leaves the average as it is") {
  const ReferenceEngine engine({.precision = Precision::fp16});
  const auto executor = test::executor(engine, small(), {.batch = 4, .average = 0.5});
  test::OwnedBatch data(small(), Loss::softmax_cross_entropy, 4, 1);
  executor->train(data.batch(), 1, 0.1);
  const std::vector<float> before = test::read(*executor, Arena::average);
  const std::vector<float> heavy{1e9F, 1e9F, 1e9F, 1e9F};
  data.batch().weights = heavy;
  executor->train(data.batch(), 2, 0.1);
  REQUIRE(executor->loss_scale()->skipped == 1);
  CHECK(test::read(*executor, Arena::average) == before);
}
