// How a step is divided between threads: what is computed by samples, what by outputs.

#include <millrace/cpu/division.h>
#include <millrace/nn/zoo/zoo.h>

#include <algorithm>

#include "catch.h"
#include "cpu/compare.h"

using namespace millrace;
using nn::Arena;
using nn::ModelBuilder;
using test::OwnedBatch;
using test::read;

namespace {

constexpr auto kSoftmax = nn::Loss::softmax_cross_entropy;

cpu::Division in_slices(const nn::Model& model, std::int64_t batch, int threads) {
  return cpu::divide(model, {.batch = batch}, threads, cpu::Sharing::slices);
}

bool any_by_outputs(const cpu::Division& division) {
  return std::ranges::any_of(division.by_outputs, [](bool is) { return is; });
}

/// Two hidden layers with more weights than a batch of 9 has values, of which the first reads the
/// input and the second what the first has made; then one without.
nn::Model dense_model() {
  ModelBuilder builder("dense", {11, 10, 3});
  builder.flatten().dense(200).relu().dropout(0.3F).dense(300).sigmoid();
  return builder.dense(7).softmax().build();
}

/// A dense layer of that kind behind a convolution, so that its source is made in blocks.
nn::Model convolution_and_dense() {
  ModelBuilder builder("mixed", {14, 13, 3});
  builder.conv(24).relu().max_pool().flatten().dropout(0.2F);
  return builder.dense(200).relu().dense(5).softmax().build();
}

}  // namespace

TEST_CASE("Every output of a layer is one slice's, and slices begin at blocks") {
  for (const std::int64_t outputs : {64, 65, 500, 512, 4096}) {
    for (const std::int64_t slices : {1, 2, 3, 8}) {
      std::int64_t next = 0;
      for (std::int64_t i = 0; i < slices; ++i) {
        const cpu::Outputs some = cpu::outputs_of(outputs, i, slices);
        CHECK(some.first == next);
        CHECK((some.first % cpu::kOutputBlock == 0 || some.count == 0));
        next += some.count;
      }
      CHECK(next == outputs);
    }
  }
}

TEST_CASE(
    "Dense layers are divided by outputs where they have more weights than a batch has values") {
  const nn::Model mlp = nn::zoo_model("mlp:500", {28, 28, 1}, 10);
  const cpu::Division division = in_slices(mlp, 100, 2);
  CHECK(division.slices == 2);
  for (const nn::Parameter& p : nn::parameters(mlp)) {
    INFO(p.name);
    CHECK(division.is_by_outputs(p.layer) == p.name.starts_with("dense1"));
  }
  CHECK_FALSE(any_by_outputs(in_slices(mlp, 4096, 2)));  // as much goes in and out
  CHECK_FALSE(any_by_outputs(in_slices(mlp, 100, 9)));   // not a block for each
  CHECK_FALSE(any_by_outputs(in_slices(mlp, 100, 1)));
  CHECK(cpu::divide(mlp, {.batch = 100}, 2, cpu::Sharing::together).slices == 1);
  CHECK_FALSE(
      any_by_outputs(cpu::divide(mlp, {.batch = 100, .training = false}, 2, cpu::Sharing::slices)));
}

TEST_CASE("A layer divided by outputs has its gradients once, others once a slice") {
  // 134 million weights in dense layers, 15 in convolutions: the former once alone fit the limit.
  const nn::Model vgg = nn::zoo_model("vgg16", {224, 224, 3}, 1000);
  CHECK(in_slices(vgg, 32, 2).slices == 2);
  const nn::Model model = dense_model();
  const auto gradients = [&](cpu::Sharing sharing) {
    const auto engine = cpu::make_engine({.threads = 3, .sharing = sharing});
    return static_cast<double>(engine->compile(model, {.batch = 9})->memory().at(1).bytes.count);
  };
  // 2 % are of the last layer, and blocks are filled up.
  CHECK(gradients(cpu::Sharing::slices) < 1.5 * gradients(cpu::Sharing::together));
}

TEST_CASE("Layers divided by outputs agree with float64, in batches full, short and tiny") {
  for (const nn::Model& model : {dense_model(), convolution_and_dense()}) {
    for (const int threads : {2, 3}) {
      INFO(model.name << " in " << threads << " slices");
      REQUIRE(any_by_outputs(in_slices(model, 9, threads)));
      test::check_model(model,
                        {.batch = 9,
                         .other_batches = {5},
                         .optimizer = {.learning_rate = 0.1, .momentum = 0.9},
                         .gradient = {.l2 = 0.01, .clip_global_norm = 1}},
                        {9, 8, 5, 4, 1}, {.threads = threads});
    }
  }
}

TEST_CASE("Layers divided by outputs agree with float64 where layers around them are frozen") {
  nn::Model model = dense_model();
  SECTION("the first dense layer") {
    model.layers[1].trainable = false;
  }
  SECTION("the second dense layer") {
    model.layers[4].trainable = false;
  }
  test::check_model(model, {.batch = 9, .optimizer = {.learning_rate = 0.1}}, {9, 4},
                    {.threads = 2});
}

TEST_CASE("Layers divided by outputs give the same weights to the bit each time") {
  const nn::Model model = dense_model();
  for (const int threads : {2, 3}) {
    const auto engine = cpu::make_engine({.threads = threads});
    const auto once = [&] {
      const auto executor = test::executor(*engine, model, {.batch = 9, .seed = 3});
      for (int t = 1; t <= 4; ++t) {
        const OwnedBatch data(model, kSoftmax, t % 2 == 0 ? 9 : 5, static_cast<std::uint64_t>(t));
        executor->train(data.batch(), t, 0.1);
      }
      return read(*executor, Arena::parameters);
    };
    CHECK(once() == once());
  }
}

TEST_CASE("What lies behind a short batch is not read where all slices read all rows") {
  test::check_rows_behind(*cpu::make_engine({.threads = 2}), dense_model(),
                          {.batch = 8, .seed = 3});
}
