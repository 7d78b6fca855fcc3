// evaluate and predict of a model that is named, with weights and without training; and the timed
// algorithms that both use.

#include "apps/known_model.h"

#include <millrace/io/safetensors.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/zoo/zoo.h>

#include <span>

using namespace millrace;
using namespace millrace::test;

namespace fs = std::filesystem;

namespace {

SavedModel of_zoo(const std::string& name, const Shape& input, std::int64_t outputs) {
  SavedModel saved{nn::zoo_model(name, input, outputs), {}};
  saved.model.preprocessing.exif_orientation = true;  // as where a name is trained
  saved.parameters.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(saved.model))));
  nn::initialize(saved.model, 7, saved.parameters);
  return saved;
}

/// The tensors alone, as another program writes them.
std::string write_tensors(const fs::path& path, const SavedModel& saved) {
  std::vector<NamedTensor> tensors;
  for (const nn::Parameter& p : nn::parameters(saved.model)) {
    tensors.push_back({p.name, p.shape,
                       std::span(saved.parameters)
                           .subspan(static_cast<std::size_t>(p.offset),
                                    static_cast<std::size_t>(p.shape.elements()))});
  }
  write_safetensors(path, tensors);
  return path.string();
}

/// The same model twice: as weights for its name, and as a model file.
struct Same {
  std::string weights, file;
};
constexpr const char* kName = "cnn:2,3:4";
constexpr const char* kOrder = "channels_last";  // the rows of its dense layer are as they lie

Same write_both(const Scratch& scratch, std::int64_t outputs, std::int64_t side = 224) {
  const SavedModel saved = of_zoo(kName, {side, side, 3}, outputs);
  save_model(scratch / "model.safetensors", saved.model, saved.parameters);
  return {write_tensors(scratch / "weights.safetensors", saved),
          (scratch / "model.safetensors").string()};
}

}  // namespace

TEST_CASE("predict of a name with weights says what predict says of the same model in a file") {
  const Scratch scratch;
  const Same same = write_both(scratch, 5);
  const std::string image = write_plain(scratch / "x.png", 60, 40).string();
  const Outcome outcome = run({"predict", kName, "--weights", same.weights, "--flatten-order",
                               kOrder, image, "--top", "5", "--json"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(outcome.out == run({"predict", same.file, image, "--top", "5", "--json"}).out);
  const std::vector<std::string> notes = Outcome::lines(outcome.err);
  REQUIRE(notes.size() == 2);
  CHECK(holds(notes[0], "8 of 8 tensors of the model"));
  CHECK(holds(notes[1], "input 224x224x3 (which the weights fit)"));
  CHECK(holds(notes[1], "the file does not say with what input"));
  const auto classes = nlohmann::json::parse(outcome.out)["classes"];
  REQUIRE(classes.size() == 5);
  for (const auto& entry : classes) {
    CHECK(entry["class"] == std::to_string(entry["index"].get<int>()));
  }

  const auto named =
      nlohmann::json::parse(run({"predict", kName, "--weights", same.weights, "--flatten-order",
                                 kOrder, image, "--json", "--class-names", "a,b,c,d,e"})
                                .out)["classes"][0];
  CHECK(named["index"] == classes[0]["index"]);
  CHECK(named["class"] == std::string(1, static_cast<char>('a' + named["index"].get<int>())));
}

TEST_CASE("evaluate of a name with weights gives the figures of the same model in a file") {
  const Scratch scratch;
  const Same same = write_both(scratch, 3);
  const std::string data = write_classes(scratch / "data", {"a", "b", "c"}, 3).string();
  const std::vector<std::string> common{data, "--json", "--class-names", "a,b,c"};
  const auto figures = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), common.begin(), common.end());
    return json_of(run(arguments));
  };
  const auto named =
      figures({"evaluate", kName, "--weights", same.weights, "--flatten-order", kOrder});
  const auto of_file = figures({"evaluate", same.file});
  CHECK(named["model"] == kName);
  CHECK(named["weights"] == same.weights);
  for (const char* figure : {"loss", "accuracy", "samples", "confusion", "classes"}) {
    CHECK(named[figure] == of_file[figure]);
  }
  const Outcome text = run({"evaluate", kName, "--weights", same.weights, "--flatten-order", kOrder,
                            data, "--class-names", "a,b,c"});
  CHECK(text.err.empty());
  CHECK(holds(text.out, "note: input 224x224x3"));
}

TEST_CASE("a name without weights, and weights that do not go with it, are refused in one line") {
  const Scratch scratch;
  const Same same = write_both(scratch, 3);
  const std::string image = write_plain(scratch / "x.png", 60).string();
  const std::string data = write_classes(scratch / "data", {"a", "b", "c", "d"}, 2).string();
  check_refused({"predict", "vgg16", image}, 2,
                "vgg16 is a model without weights; give them: --weights FILE");
  check_refused({"evaluate", "vgg16", data}, 2, "--weights FILE");
  check_refused({"predict", "vgg16", image, "--weights", (scratch / "no.h5").string()}, 1,
                "no.h5: no such weight file");
  check_refused({"predict", "vgg16", image, "--weights", same.weights}, 1,
                "weights of another model");
  check_refused({"predict", same.file, image, "--weights", same.weights}, 2, "has its own weights");
  check_refused({"predict", same.file, image, "--size", "32"}, 2,
                "--size has no effect without --weights FILE");
  // More classes than the model has outputs, and classes that nothing gives a name to.
  check_refused({"evaluate", kName, data, "--weights", same.weights, "--flatten-order", kOrder,
                 "--quiet", "--json"},
                1, "the model has 3 outputs, the data 4 classes");
  const std::string three = write_classes(scratch / "three", {"a", "b", "c"}, 2).string();
  check_refused({"evaluate", kName, three, "--weights", same.weights, "--flatten-order", kOrder}, 1,
                "say in train or evaluate what the numbers 0, 1, ... are called: --class-names");
  check_refused({"predict", kName, image, "--weights", same.weights, "--flatten-order", kOrder,
                 "--class-names", "a,b"},
                2, "--class-names has 2 names, and the model 3 classes");
}

TEST_CASE("evaluate and predict keep times of algorithms for many steps, and use what is kept") {
  const Scratch scratch;
  const std::string model = (scratch / "model.safetensors").string();
  nn::ModelBuilder builder("timed", {14, 14, 3});
  builder.conv(32).relu().conv(32).relu().flatten().dense(2).softmax().classes({"a", "b"});
  const nn::Model net = builder.build();
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(net))));
  nn::initialize(net, 7, weights);
  save_model(model, net, weights);
  const std::string data = write_classes(scratch / "data", {"a", "b"}, 8, 14).string();
  const fs::path times = scratch / "cache/millrace/onednn-timings.json";
  const RunOptions cached{.environment = {{"XDG_CACHE_HOME", (scratch / "cache").string()}}};

  const std::string image = (scratch / "data/a/0.png").string();
  CHECK(run({"predict", model, image}, cached).status == 0);
  CHECK(run({"evaluate", model, data, "--batch", "2"}, cached).status == 0);
  CHECK_FALSE(fs::exists(times));  // 1 step, 8 steps
  const auto timed = json_of(run({"evaluate", model, data, "--batch", "1", "--json"}, cached));
  if (!holds(run({"inspect", "devices"}).out, "oneDNN 2.")) {
    WARN("not checked: the library has one algorithm for a convolution here");
    return;
  }
  CHECK(fs::exists(times));
  // Whatever algorithm was found, it does the same in float32.
  const auto other = json_of(run({"evaluate", model, data, "--batch", "2", "--json"}, cached));
  CHECK(timed["loss"].get<double>() == Approx(other["loss"].get<double>()).epsilon(1e-4));
  const std::vector<std::byte> kept = read_file(times);
  CHECK(run({"predict", model, data, "--batch", "1"}, cached).status == 0);
  CHECK(read_file(times) == kept);
}
