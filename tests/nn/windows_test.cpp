// Convolutions and poolings of every kind of window against PyTorch in float64: results and
// gradients within 1e-12, by the loops that are the oracle of the engines.

#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model_json.h>
#include <millrace/nn/reference/call.h>

#include "catch.h"
#include "recorded.h"

#include <utility>

namespace {

using namespace millrace;
using namespace millrace::nn;
using reference::Call;
using Values = std::vector<double>;

/// A layer of a recorded case, as a model file that has it alone is read.
Model model_of(const nlohmann::json& record) {
  nlohmann::json layer = record["layer"];
  layer["name"] = "layer";
  const nlohmann::json model{
      {"name", "m"}, {"input", record["input"]}, {"layers", {std::move(layer)}}};
  return model_from_json(model.dump());
}

void check(const Values& values, const nlohmann::json& expected) {
  REQUIRE(values.size() == expected.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    INFO(i);
    CHECK(values[i] == Approx(expected[i].get<double>()).margin(1e-12));
  }
}

struct Operands {
  explicit Operands(const nlohmann::json& record, const Model& model)
      : x(test::list<double>(record["x"])),
        y(record["y"].size(), NAN),
        dy(test::list<double>(record["dy"])),
        dx(x.size(), NAN),
        saved(y.size(), NAN),
        call{.samples = record["samples"],
             .inputs = {model.input},
             .output = infer_shapes(model).front().output} {
    bind({{operand::x, &x}, {operand::y, &y}, {operand::saved(0), &saved}});
    if (!record.contains("w")) return;
    w = test::list<double>(record["w"]);
    b = test::list<double>(record["b"]);
    bind({{operand::parameter(Role::kernel), &w}, {operand::parameter(Role::bias), &b}});
  }
  void bind(const std::vector<std::pair<Operand, Values*>>& more) {
    for (const auto& [operand, values] : more) call.operands.push_back({operand, *values});
  }

  Values x, y, dy, dx, saved, w, b, dw, db;
  Call call;
};

TEST_CASE("Convolutions and poolings give the outputs and gradients of PyTorch") {
  for (const auto& record : test::recorded("windows.json")) {
    DYNAMIC_SECTION(record["name"].get<std::string>()) {
      const Model model = model_of(record);
      const LayerKind& layer = model.layers.front().kind;
      Operands at(record, model);
      const auto extents = at.call.output.extents();
      CHECK(std::vector<std::int64_t>(extents.begin(), extents.end()) ==
            test::list<std::int64_t>(record["output"]));
      layer->forward(at.call);
      check(at.y, record["y"]);

      at.dw.assign(at.w.size(), NAN);
      at.db.assign(at.b.size(), NAN);
      at.bind({{operand::dy, &at.dy}, {operand::dx, &at.dx}});
      if (!at.w.empty()) {
        at.bind(
            {{operand::gradient(Role::kernel), &at.dw}, {operand::gradient(Role::bias), &at.db}});
      }
      layer->backward(at.call);
      check(at.dx, record["dx"]);
      if (!at.w.empty()) check(at.dw, record["dw"]);
      if (!at.b.empty()) check(at.db, record["db"]);
    }
  }
}

TEST_CASE("A last window of ceil begins inside the image or in the padding before it") {
  const auto outputs = [](const SlidingWindow& window, std::int64_t extent) {
    return place(window, extent, extent).rows.output;
  };
  const SlidingWindow two{.size = 2, .stride = 2, .ceil = true};
  CHECK(outputs(two, 5) == 3);
  CHECK(outputs(two, 4) == 2);
  const SlidingWindow gaps{.size = 2, .stride = 3, .padding = Padding::all(1), .ceil = true};
  CHECK(outputs(gaps, 4) == 2);  // the third would begin with the padding behind
  CHECK(outputs({.size = 3, .stride = 2, .ceil = true}, 2) == 1);
  CHECK(outputs({.size = 4, .stride = 2, .ceil = true}, 2) == 0);
}

TEST_CASE("Padding that is 0 on every side is none") {
  CHECK(Padding::all(0) == Padding::valid);
  CHECK(Padding::sides(0, 0, 0, 0) == Padding::valid);
  CHECK_FALSE(Padding::valid == Padding::same);
  CHECK(to_string(Padding::sides(1, 2, 3, 4)) == "[1, 2, 3, 4]");
}

TEST_CASE("Fans and cost of a convolution in groups are those of one group's channels") {
  const Model model =
      ModelBuilder("m", {8, 8, 6}).conv({.filters = 4, .groups = 2}).depthwise_conv(5).build();
  const std::vector<Parameter> all = parameters(model);
  CHECK(all[0].shape == Shape{4, 3, 3, 3});
  CHECK(all[0].fan_in == 3 * 9);  // PyTorch's weight.size(1), and Keras's of Conv2D(groups=2)
  CHECK(all[0].fan_out == 4 * 9);
  CHECK(summarize(model)[0].flops == 2 * (6 * 6 * 4) * 3 * 9);
  CHECK(all[2].shape == Shape{4, 1, 5, 5});
  CHECK(all[2].groups == 4);
  CHECK(all[2].fan_in == 25);
}

TEST_CASE("A depthwise convolution has a filter for each channel of what is there") {
  const auto conv = [](ModelBuilder& b) { b.depthwise_conv(3, Padding::same); };
  const Model model = ModelBuilder("m", {8, 8, 5})
                          .depthwise_conv()
                          .conv(7, 1)
                          .residual(conv)
                          .branches({conv, [](ModelBuilder& b) { b.conv(3, 1); }})
                          .concat()
                          .depthwise_conv(3, Padding::all(1), {1, 2}, false)
                          .build();
  std::vector<std::int64_t> filters;
  for (const Layer& layer : model.layers) {
    const auto* convolution = layer.kind.get_if<Conv2D>();
    if (convolution != nullptr && convolution->groups > 1) filters.push_back(convolution->filters);
  }
  CHECK(filters == std::vector<std::int64_t>{5, 7, 7, 10});
  CHECK_THROWS_WITH(ModelBuilder("m", {8}).depthwise_conv(),
                    "the model 'm': a depthwise convolution needs [height][width][channels], not "
                    "8");
}

TEST_CASE("Windows that make no sense are refused by the layer's name and the numbers") {
  const auto error_of = [](LayerKind kind) -> std::string {
    try {
      (void)ModelBuilder("m", {5, 5, 6}).add(std::move(kind)).named("one").build();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(error_of(Conv2D{.filters = 8, .groups = 4}) ==
        "layer 0 'one': cannot divide 6 channels and 8 filters into 4 groups; both must be "
        "multiples of it");
  CHECK(error_of(Conv2D{.filters = 8, .groups = 3}) ==
        "layer 0 'one': cannot divide 6 channels and 8 filters into 3 groups; both must be "
        "multiples of it");
  CHECK(error_of(Conv2D{.filters = 8, .groups = 0}) ==
        "layer 0 'one': groups must be a positive number below 2^31, not 0");
  CHECK(error_of(Conv2D{.filters = 2, .dilation = 3}) ==
        "layer 0 'one': a 3x3 window of dilation 3 does not fit into 5x5");
  CHECK(error_of(Conv2D{.filters = 2, .padding = Padding::all(1), .dilation = {4, 1}}) ==
        "layer 0 'one': a 3x3 window of dilation 4x1 does not fit into 5x5 with padding "
        "[1, 1, 1, 1]");
  CHECK(error_of(Conv2D{.filters = 2, .padding = Padding::sides(0, -1, 0, 0)}) ==
        "layer 0 'one': padding must be numbers from 0 on and below 2^31, not -1");
  CHECK(error_of(MaxPool2D{.size = 2, .stride = {1, 0}}) ==
        "layer 0 'one': stride must be a positive number below 2^31, not 0");
  CHECK(error_of(MaxPool2D{.size = {2, 3}, .padding = Padding::sides(0, 2, 0, 0)}) ==
        "layer 0 'one': padding [0, 2, 0, 0] is not smaller than the 2x3 window, which would lie "
        "over nothing else");
  CHECK(error_of(AvgPool2D{.padding = Padding::same, .ceil = true}) ==
        "layer 0 'one': ceil needs padding in numbers, or none, not same");
}

}  // namespace
