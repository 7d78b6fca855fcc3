// A kind of layer as a user writes it: that of examples/own_layer.

#include <millrace/nn/layers/registry.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/reference/check_gradients.h>

#include "catch.h"
#include "nn/recorded.h"
#include "own_layer/mish.h"

using namespace millrace;
using Catch::Contains;

TEST_CASE("Mish and its slope are PyTorch's, also far from 0") {
  const nlohmann::json record = test::recorded("own.json")["mish"];
  const auto x = test::list<double>(record["x"]), y = test::list<double>(record["y"]);
  const auto slope = test::list<double>(record["slope"]);
  for (std::size_t i = 0; i < x.size(); ++i) {
    INFO("x " << x[i]);
    CHECK(Mish{}.value(x[i]) == Approx(y[i]).epsilon(1e-12).margin(1e-300));
    CHECK(Mish{}.gradient(2.0, x[i]) == Approx(2 * slope[i]).epsilon(1e-12).margin(1e-300));
    CHECK(Mish{}.value(static_cast<float>(x[i])) == Approx(y[i]).epsilon(1e-6).margin(1e-30));
  }
}

TEST_CASE("Mish's backward pass is its derivative") {
  CHECK(nn::check_gradients(Mish{}, {4, 4, 3}).largest_error < 1e-6);
}

TEST_CASE("A model with Mish is read from JSON by programs that know it alone") {
  const nn::Model model = nn::ModelBuilder("m", {4}).dense(3).add(Mish{}).dense(2).build();
  const std::string text = nn::to_json(model);
  CHECK_THROWS_WITH(nn::model_from_json(text), Contains("unknown kind of layer 'mish'"));
  nn::register_layer_kind<Mish>();
  CHECK(nn::model_from_json(text) == model);
}
