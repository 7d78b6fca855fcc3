#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/model_json.h>

#include "catch.h"

namespace {

using namespace millrace;
using namespace millrace::nn;
using Catch::Contains;

Model model_with_every_layer() {
  Model model = ModelBuilder("every layer", {40, 40, 3})
                    .preprocessing({.filter = "lanczos",
                                    .scale = 1.0F / 255,
                                    .mean = {0.485F, 0.456F, 0.406F},
                                    .deviation = {0.229F, 0.224F, 0.225F}})
                    .classes({"Katze", "chien \"Médor\"", "鳥"})
                    .initializer(Initializer::he_normal)
                    .add(Conv2D{.filters = 8,
                                .rows = 3,
                                .columns = 5,
                                .stride = 2,
                                .padding = Padding::same,
                                .bias = false})
                    .batch_norm({.momentum = 0.99F, .epsilon = 1e-3F, .biased_variance = true})
                    .relu()
                    .max_pool(3, 2)
                    .initializer(Initializer::torch)
                    .conv(4)
                    .sigmoid()
                    .add(AvgPool2D{.size = 2, .stride = 1, .padding = Padding::same})
                    .dropout(0.1F)
                    .flatten()
                    .dense(16)
                    .named("hidden")
                    .dense(3)
                    .softmax()
                    .build();
  model.layers[0].trainable = false;
  return model;
}

TEST_CASE("A model with every kind of layer survives the way through JSON") {
  const Model model = model_with_every_layer();
  CHECK(model_from_json(to_json(model)) == model);
  const Model pooled = ModelBuilder("m", {4, 4, 2}).conv(3).global_avg_pool().build();
  CHECK(model_from_json(to_json(pooled)) == pooled);
}

TEST_CASE("The text is stable and shows short numbers") {
  const std::string text = to_json(model_with_every_layer());
  CHECK(to_json(model_from_json(text)) == text);
  CHECK_THAT(text, Contains("\"momentum\": 0.99,") && Contains("0.485,"));
  CHECK(text.find("\"name\"") < text.find("\"input\""));
  CHECK(text.find("\"input\"") < text.find("\"layers\""));
}

TEST_CASE("Options of windows are written only where they are used, pairs as one number if equal") {
  const auto text = [](LayerKind kind) {
    std::string written = to_json(ModelBuilder("m", {20, 20, 4}).add(std::move(kind)).build());
    std::erase(written, ' ');
    std::erase(written, '\n');
    const std::size_t begin = written.find("\"kind\"");
    return written.substr(begin, written.find('}', begin) - begin);
  };
  CHECK(text(Conv2D{.filters = 8, .stride = 2}) ==
        R"("kind":"conv2d","filters":8,"rows":3,"columns":3,"stride":2,"padding":"valid",)"
        R"("bias":true,"initializer":"glorot_uniform","trainable":true)");
  CHECK(
      text(Conv2D{.filters = 8, .stride = {2, 1}, .groups = 4, .dilation = {1, 3}}) ==
      R"("kind":"conv2d","filters":8,"rows":3,"columns":3,"stride":[2,1],"padding":"valid",)"
      R"("bias":true,"groups":4,"dilation":[1,3],"initializer":"glorot_uniform","trainable":true)");
  CHECK(text(MaxPool2D{.size = 3, .stride = 2, .padding = Padding::same}) ==
        R"("kind":"max_pool2d","size":3,"stride":2,"padding":"same","trainable":true)");
  CHECK(text(AvgPool2D{
            .size = {3, 2}, .padding = Padding::sides(1, 2, 0, 1), .count_padding = true}) ==
        R"("kind":"avg_pool2d","size":[3,2],"stride":2,"padding":[1,2,0,1],"count_padding":true,)"
        R"("trainable":true)");
}

TEST_CASE("Preprocessing of every kind survives, and is not written where it is not used") {
  Model model = model_with_every_layer();
  CHECK(to_json(model).find("samplewise") == std::string::npos);
  CHECK(to_json(model).find("whiten") == std::string::npos);
  model.preprocessing.order = ChannelOrder::bgr;
  model.preprocessing.samplewise_center = true;
  model.preprocessing.samplewise_deviation = true;
  CHECK(model_from_json(to_json(model)) == model);
  Model small = ModelBuilder("m", {4, 4, 3}).flatten().dense(3).build();
  small.preprocessing.whiten = true;
  CHECK(model_from_json(to_json(small)).preprocessing.whiten);
}

TEST_CASE("Columns are taken as they are where a description says nothing of it, pixels over 255") {
  const auto scale_of = [](const std::string& input, const std::string& more) {
    return model_from_json(R"({"name": "m", "input": )" + input + more +
                           R"(, "layers": [{"name": "f", "kind": "flatten"},
                                         {"name": "d", "kind": "dense", "units": 2}]})")
        .preprocessing.scale;
  };
  CHECK(scale_of("[4]", "") == 1.0F);
  CHECK(scale_of("[4]", R"(, "preprocessing": {"mean": [0, 0, 0, 1]})") == 1.0F);
  CHECK(scale_of("[4]", R"(, "preprocessing": {"scale": 0.5})") == 0.5F);
  // As an older program wrote it: its weights want it so.
  CHECK(scale_of("[4]", R"(, "preprocessing": {"scale": 0.003921569})") == 1.0F / 255);
  CHECK(scale_of("[1, 1, 4]", "") == 1.0F / 255);
  CHECK(ModelBuilder("m", {4}).dense(2).build().preprocessing.scale == 1.0F);
  CHECK(ModelBuilder("m", {4, 4, 1}).flatten().dense(2).build().preprocessing.scale == 1.0F / 255);
}

TEST_CASE("What a model knows of its table survives, and is not written where there is none") {
  Model model = ModelBuilder("m", {2}).dense(2).softmax().build();
  CHECK(to_json(model).find("table") == std::string::npos);
  model.table = {.columns = {"a \"b\"", "l\xC3\xA4nge"},
                 .label = "",
                 .label_column = 2,
                 .header = true,
                 .separator = '\t'};
  CHECK(model_from_json(to_json(model)) == model);
  model.table = {.label_column = 1, .header = false};
  CHECK(model_from_json(to_json(model)) == model);
  model.table = {.columns = {"a"}};
  CHECK_THROWS_WITH(validate(model), "table.columns: 1 names for an input of 2");
  model.table = {.label_column = -1};
  CHECK_THROWS_WITH(validate(model), "table.label_column: expected 1 or more, not -1");
}

TEST_CASE("A table's separator is one of those that --separator knows, whoever wrote the model") {
  Model model = ModelBuilder("m", {2}).dense(2).softmax().build();
  for (const char separator : {',', ';', '|', ':', '\t'}) {
    model.table.separator = separator;
    CHECK(model_from_json(to_json(model)) == model);
  }
  const std::string text = to_json(model);
  const auto with = [&](const std::string& separator) {
    std::string changed = text;
    return changed.replace(changed.find("\"\\t\""), 4, '"' + separator + '"');
  };
  CHECK(model_from_json(with("")).table.separator == '\0');
  for (const char* bad :
       {"1", ".", "-", "\\n", "\\r", "\\\"", " ", "e", "\\u0000", ",,", "tab", "\xC3\xA4"}) {
    INFO(bad);
    CHECK_THROWS_WITH(model_from_json(with(bad)), Catch::Contains("table.separator: ") &&
                                                      Catch::Contains(", ; | : or tab") &&
                                                      !Catch::Contains("\n"));
  }
  model.table.separator = '1';
  CHECK_THROWS_WITH(validate(model), "table.separator: expected , ; | : or tab, not '1'");
}

TEST_CASE("Options that are left out have their defaults") {
  const Model model = model_from_json(R"({"name": "m", "input": [8, 8, 1], "layers": [
    {"name": "a", "kind": "conv2d", "filters": 2, "rows": 3, "columns": 3},
    {"name": "b", "kind": "batch_norm"}]})");
  CHECK(model.layers[0].kind == Conv2D{.filters = 2});
  CHECK(model.layers[1].kind == BatchNorm{});
  CHECK(model.preprocessing == Preprocessing{});
  CHECK(model.layers[0].trainable);
}

std::string with_layer(const std::string& layer) {
  return R"({"name": "m", "input": [8, 8, 1], "layers": [{"name": "a", "kind": "relu"}, )" + layer +
         "]}";
}

TEST_CASE("Bad JSON names the key") {
  const auto error_of = [](const std::string& text) -> std::string {
    try {
      (void)model_from_json(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(error_of(with_layer(R"({"name": "b", "kind": "dense", "units": -3})")) ==
        "model: layers[1].units: expected a positive number");
  CHECK(error_of(with_layer(R"({"name": "b", "kind": "dense", "units": 1e3})")) ==
        "model: layers[1].units: expected a positive number");
  CHECK(error_of(with_layer(R"({"name": "b", "kind": "dense", "units": 18446744073709551615})")) ==
        "model: layers[1].units: expected a positive number");
  CHECK(error_of(with_layer(R"({"name": "b", "kind": "dense"})")) ==
        "model: layers[1].units: missing");
  CHECK(error_of(with_layer(R"({"name": "b", "kind": "prelu"})")) ==
        "model: layers[1].kind: unknown kind of layer 'prelu'");
  const auto pool = [&](const std::string& options) {
    return error_of(with_layer(R"({"name": "b", "kind": "max_pool2d", )" + options + "}"));
  };
  for (const char* stride : {"0", "[1]", "[1, 0]", "[1, 2, 3]", "\"2\"", "1.5"}) {
    CHECK(pool(concat(R"("size": 2, "stride": )", stride)) ==
          "model: layers[1].stride: expected a positive number, or two: [rows, columns]");
  }
  for (const char* padding : {"1", "[1, 1]", "[1, 1, 1, -1]", "\"full\"", "null"}) {
    CHECK(pool(concat(R"("size": 2, "stride": 2, "padding": )", padding)) ==
          "model: layers[1].padding: expected \"valid\", \"same\" or [top, bottom, left, right]");
  }
  CHECK(error_of(with_layer(R"({"name": "b", "kind": "relu", "slope": 0.1})")) ==
        "model: layers[1].slope: unknown key");
  CHECK(error_of(with_layer(R"({"name": "b", "kind": "dropout", "rate": "half"})")) ==
        "model: layers[1].rate: expected a number");
  CHECK(error_of(with_layer(R"({"name": "b", "kind": "relu", "trainable": 1})")) ==
        "model: layers[1].trainable: expected true or false");
  CHECK_THAT(error_of(with_layer(R"({"name": "b", "kind": "relu", "initializer": "x"})")),
             Contains("model: layers[1].initializer: unknown initializer 'x'"));
  CHECK(error_of(with_layer("7")) == "model: layers[1]: expected an object");
  CHECK(error_of(R"({"name": "m", "input": [8, 8], "layers": []})") ==
        "model: input: expected [height, width, channels] or [features]");
  CHECK(error_of(R"({"name": "m", "input": [8, "x", 1], "layers": []})") ==
        "model: input[1]: expected one of whole numbers");
  CHECK(error_of(R"({"name": "m", "input": [8], "layers": 3})") ==
        "model: layers: expected a list of layers");
  CHECK(
      error_of(R"({"name": "m", "input": [8], "layers": [], "preprocessing": {"scale": 1e99}})") ==
      "model: preprocessing.scale: expected a number");
  CHECK(
      error_of(R"({"name": "m", "input": [8], "layers": [], "preprocessing": {"order": "grb"}})") ==
      "model: preprocessing.order: expected \"rgb\" or \"bgr\"");
  CHECK_THAT(error_of("{"), Contains("model: not JSON"));
  CHECK(error_of("[]") == "model: expected an object");
}

TEST_CASE("A model that is well-formed but makes no sense is refused too") {
  CHECK_THROWS_WITH(model_from_json(with_layer(R"({"name": "a", "kind": "flatten"})")),
                    "layer 1: the name 'a' is taken");
  CHECK_THROWS_WITH(
      model_from_json(with_layer(
          R"({"name": "b", "kind": "max_pool2d", "size": 9007199254740993, "stride": 1})")),
      Contains("size must be a positive number below 2^31"));
}

TEST_CASE("A name that is not UTF-8 cannot be written") {
  Model model = ModelBuilder("m", {2}).dense(2).build();
  model.classes = {"a", "\xff"};
  CHECK_THROWS_WITH(to_json(model), Contains("not UTF-8"));
}

}  // namespace
