// Batches whose gradients are added up to one step, in the reference engine.

#include "catch.h"
#include "nn/reference_samples.h"

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

TEST_CASE("A group of batches takes the step of one batch that holds them all") {
  const Model model =
      ModelBuilder("m", {3}).dense(4).relu().dropout(0.3F).dense(2).softmax().build();
  const Samples samples(7, 7);
  const std::vector<std::uint64_t> positions{5, 3, 8, 1, 0, 9, 2};  // of dropout
  Batch whole = samples.batch();
  whole.positions = positions;
  for (const GradientOptions& gradient :
       {GradientOptions{.l2 = 0.1}, {.clip_value = 0.01}, {.clip_norm = 0.1}}) {
    CompileOptions options{
        .batch = 7, .optimizer = {.kind = OptimizerKind::adam}, .gradient = gradient, .seed = 3};
    const auto at_once = compiled(model, options);
    options.accumulate = 3;
    const auto in_parts = compiled(model, options);
    for (std::int64_t t = 1; t <= 3; ++t) {
      const StepResult expected = at_once->train(whole, t, 0.1);
      for (const auto& [first, count] : {std::pair{0, 3}, {3, 3}, {6, 1}}) {
        in_parts->start_accumulate(slice(whole, first, count), first == 0);
      }
      CHECK(in_parts->finish().samples == 0);  // told with their update
      in_parts->start_update(t, 0.1);
      const StepResult result = in_parts->finish();
      CHECK(result.samples == 7);
      CHECK(result.correct == expected.correct);
      CHECK(result.loss_sum == Approx(expected.loss_sum).epsilon(1e-12));
    }
    for (std::size_t i = 0; i < at_once->parameters().size(); ++i) {
      CHECK(in_parts->parameters()[i] == Approx(at_once->parameters()[i]).epsilon(1e-9));
    }
  }
}

TEST_CASE("A group that is begun anew forgets the one before it") {
  const Samples samples(4);
  const auto one = compiled(kModel, {.batch = 4, .accumulate = 2});
  const auto other = compiled(kModel, {.batch = 4, .accumulate = 2});
  one->start_accumulate(slice(samples.batch(), 0, 3), true);  // is not gone on with
  for (const auto& executor : {one.get(), other.get()}) {
    executor->start_accumulate(samples.batch(), true);
    executor->start_update(1, 0.1);
  }
  CHECK(std::ranges::equal(one->parameters(), other->parameters()));
  CHECK(one->finish().samples == 4);
}

TEST_CASE("Groups of batches are refused where they were not asked for, or have no batch") {
  using Catch::Contains;
  const Samples samples(4);
  const auto single = compiled(kModel, {.batch = 4});
  CHECK_THROWS_WITH(
      single->start_accumulate(samples.batch(), true),
      "the model was compiled for one update a batch; set CompileOptions::accumulate");
  CHECK_THROWS_WITH(single->start_update(1, 0.1), Contains("CompileOptions::accumulate"));
  const auto grouped = compiled(kModel, {.batch = 4, .accumulate = 2});
  CHECK_THROWS_WITH(grouped->start_update(1, 0.1), Contains("start_accumulate() comes before"));
  CHECK_THROWS_WITH(ReferenceEngine().compile(kModel, {.batch = 4, .accumulate = 0}),
                    "accumulate: expected 1 or more batches, not 0");
}

}  // namespace
