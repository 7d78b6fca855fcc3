// Losses as a user writes them: those of examples/own_loss, and some that go wrong.

#include <millrace/nn/loss.h>
#include <millrace/nn/losses/registry.h>
#include <millrace/nn/model.h>
#include <millrace/nn/reference/check_gradients.h>

#include "catch.h"
#include "nn/recorded.h"
#include "own_loss/quantile.h"

#include <cmath>
#include <set>
#include <thread>

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

Loss quantile_loss(const std::string& name) {
  register_loss<Quantile90>();
  register_loss<Quantile10>();
  return loss_named(name);
}

/// A mean of |e| under another name.
template <class Named>
struct Renamed : MeanAbsoluteError {
  static constexpr LossInfo kInfo = mean_error_info("renamed", Named::kOption, "renamed_loss");
};

template <class Float>
void check_recorded_loss(const nlohmann::json& record, double relative) {
  const std::vector<double> exact = test::flat(record["outputs"]);
  const std::vector<Float> outputs(exact.begin(), exact.end());
  const auto floats = [&](const char* key) {
    const std::vector<double> values = test::flat(record[key]);
    return std::vector<float>(values.begin(), values.end());
  };
  std::vector<float> targets = floats("targets");
  const std::vector<float> weights = floats("weights");
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) targets[i] = std::nanf("");  // is not read
  }
  const auto samples = static_cast<std::int64_t>(record["outputs"].size());
  const std::int64_t k = static_cast<std::int64_t>(outputs.size()) / samples;
  std::vector<Float> gradient(outputs.size());
  const StepResult result =
      evaluate_loss<Float>(quantile_loss(record["loss"]), outputs,
                           ConstTensorView(std::span<const float>(targets), {samples, k}), weights,
                           samples, k, std::span<Float>(gradient), 0, !weights.empty());
  CHECK(result.mean_loss() == Approx(record["mean_loss"].get<double>()).epsilon(relative));
  const std::vector<double> expected = test::flat(record["gradient"]);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CHECK(static_cast<double>(gradient[i]) == Approx(expected[i]).epsilon(relative));
  }
}

TEST_CASE(
    "Quantile losses and gradients are those of the definition, with weights of outputs too") {
  const nlohmann::json records = test::recorded("own.json")["losses"];
  for (const auto& record : records) {
    DYNAMIC_SECTION(record["loss"] << (record["weights"].empty() ? "" : ", weighted")) {
      check_recorded_loss<double>(record, 1e-12);
      check_recorded_loss<float>(record, 1e-5);
    }
  }
}

TEST_CASE("A quantile loss's gradients are finite differences of it") {
  const Model model = ModelBuilder("m", {5}).dense(4).tanh().dense(3).build();
  for (const char* name : {"quantile_90", "quantile_10"}) {
    CHECK(check_gradients(model, {.loss = quantile_loss(name)}).largest_error < 1e-6);
  }
}

struct First {
  static constexpr const char* kOption = "first_of_all";
};

TEST_CASE("A loss of a user's own is found by its name once it is registered, and refused before") {
  CHECK_THROWS_WITH(loss_named("first_of_all"),
                    Contains("unknown loss 'first_of_all'; known: categorical_crossentropy, "));
  const Loss loss = register_loss<Renamed<First>>();
  CHECK_FALSE(is_of_library(loss));
  CHECK(register_loss<Renamed<First>>() == loss);
  CHECK(loss_named("first_of_all") == loss);
  CHECK(loss_info(loss).name == std::string("renamed"));
  CHECK_THROWS_WITH(loss_named("second"),
                    Contains("known: categorical_crossentropy, ") && Contains(", first_of_all"));
}

TEST_CASE("A loss of the library's is registered as what it was") {
  CHECK(register_loss<Huber>() == Loss::huber);
  CHECK(is_of_library(Loss::huber));
}

struct Taken {
  static constexpr const char* kOption = "huber";
};
struct Spaced {
  static constexpr const char* kOption = "my loss";
};
struct Nameless {
  static constexpr const char* kOption = "";
};

TEST_CASE("A loss whose name is another's, or none for a list, is refused") {
  CHECK_THROWS_WITH(register_loss<Renamed<Taken>>(),
                    "loss 'huber': there is another of this name; call yours otherwise");
  CHECK_THROWS_WITH(
      register_loss<Renamed<Spaced>>(),
      "loss 'my loss': a name is letters, digits, '_', '-' and '.'; call it otherwise");
  CHECK_THROWS_AS(register_loss<Renamed<Nameless>>(), UsageError);
}

/// Of models that end in tanh.
struct OfTanh : MeanAbsoluteError {
  static constexpr LossInfo kInfo = [] {
    LossInfo info = mean_error_info("of tanh", "of_tanh", "of_tanh_loss");
    info.activation = "tanh";
    return info;
  }();
};

TEST_CASE("What is registered changes no model's default, and is among the losses that fit") {
  const Model model = ModelBuilder("m", {4}).dense(1).tanh().build();
  const Loss before = default_loss(model);
  const Loss loss = register_loss<OfTanh>();
  CHECK(default_loss(model) == before);
  CHECK(folds_end(loss, model));
  CHECK_THAT(fitting_losses(model), Contains(", of_tanh"));
}

TEST_CASE("Labels of a loss of numbers are not smoothed, whoever wrote it") {
  CHECK_THROWS_WITH(smoothing_of(quantile_loss("quantile_90"), 3, 0.1),
                    Contains("the labels of quantile loss of 0.9 are not classes"));
}

TEST_CASE("A number that no loss has is a fault of the caller's, as is another's in with_loss") {
  CHECK_THROWS_AS(loss_info(static_cast<Loss>(100000)), std::logic_error);
  CHECK_THROWS_AS(loss_info(static_cast<Loss>(-1)), std::logic_error);
  const Loss loss = quantile_loss("quantile_90");
  CHECK_THROWS_AS(with_loss(loss, []<class Kind>() {}), std::logic_error);
}

template <int kNumber>
struct Numbered {
  static constexpr char kOption[] = {'n', 'u', 'm', 'b', 'e', 'r', '0' + kNumber, '\0'};
};

template <int... kNumbers>
std::vector<Loss> register_all(std::integer_sequence<int, kNumbers...> /*numbers*/) {
  return {register_loss<Renamed<Numbered<kNumbers>>>()...};
}

TEST_CASE("Threads that register the same losses at once get the same values") {
  std::vector<std::vector<Loss>> values(4);
  std::vector<std::thread> threads;
  for (auto& mine : values) {
    threads.emplace_back([&] { mine = register_all(std::make_integer_sequence<int, 8>()); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : values) CHECK(mine == values.front());
  CHECK(std::set<Loss>(values[0].begin(), values[0].end()).size() == 8);
  CHECK(loss_named("number3") == values[0][3]);
}

}  // namespace
