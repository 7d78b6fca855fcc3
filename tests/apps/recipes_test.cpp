// Every recipe as a user starts it, shortened where it is long: on small data of the kind that the
// recipe is for. A recipe without an entry here fails.

#include "apps/train_run.h"
#include "training/vgg16_rule.h"

#include <millrace/nn/layers/dropout.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/saved_model.h>

#include <algorithm>
#include <cmath>
#include <functional>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

const fs::path kRecipes = MILLRACE_RECIPES;

/// A recipe's run: made in a scratch folder, and what must come of it.
struct Shortened {
  /// DATA, written into the folder; empty where the recipe names its own.
  std::function<std::string(const Scratch&)> data{};
  std::function<Arguments(const Scratch&)> options{};
  Arguments samples{};  ///< trained, an epoch each
  std::function<void(const nn::Model&)> check{};
};

/// ROOT/0/0.png ... 28x28, of one channel, `each` for each of ten classes.
std::string write_grey(const fs::path& root, int each) {
  for (int label = 0; label < 10; ++label) {
    const std::vector<std::uint8_t> pixels(28 * 28, static_cast<std::uint8_t>(20 * label));
    const std::vector<std::byte> file = encode_png({pixels.data(), 28, 28, 1});
    const fs::path folder = root / std::to_string(label);
    fs::create_directories(folder);
    for (int i = 0; i < each; ++i) write_file(folder / (std::to_string(i) + ".png"), file);
  }
  return root.string();
}

/// `count` rows of one feature: class 1 where it is above a half.
std::string table_of(int count) {
  std::string text = "x,class\n";
  for (int i = 0; i < count; ++i) {
    const double x = (i + 0.5) / count;
    text += concat(x, x > 0.5 ? ",1\n" : ",0\n");
  }
  return text;
}

std::function<Arguments(const Scratch&)> with(Arguments options) {
  return [options](const Scratch&) { return options; };
}

/// Weights of EfficientNet-Lite0 for ImageNet's classes, all zero but the scales of its norms.
fs::path write_lite0(const fs::path& path) {
  const nn::Model model = nn::zoo_model("efficientnet_lite0", {64, 64, 3}, 1000);
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  for (const nn::Parameter& p : nn::parameters(model)) {
    const bool is_one = p.role == nn::Role::gamma || p.role == nn::Role::running_variance;
    std::fill_n(values.begin() + p.offset, p.shape.elements(), is_one ? 1.0F : 0.0F);
  }
  save_model(path, model, values);
  return path;
}

std::string photographs(const Scratch& scratch) {
  return write_classes(scratch / "data", {"cats", "dogs"}, 5, 40).string();
}

void is_of_photographs(const nn::Model& model) {
  CHECK(model.input == Shape{150, 150, 3});
  CHECK(model.preprocessing.filter == "nearest");
  CHECK(model.classes == std::vector<std::string>{"cats", "dogs"});
}

std::string clothes(const Scratch& scratch) {
  return write_grey(scratch / "data", 25);
}

const std::map<std::string, Shortened>& shortened() {
  static const std::map<std::string, Shortened> recipes = {
      {"batch-dense.ini",
       {.data = [](const Scratch& s) { return s.write("table.csv", table_of(64)).string(); },
        .options = with({"--epochs", "2"}),
        .samples = {"64", "64"},
        .check =
            [](const nn::Model& model) {
              CHECK(model.input == Shape{1});
              CHECK(model.preprocessing.scale == 1.0F);  // numbers are not pixels
            }}},
      {"cnn.ini",
       {.data = photographs,
        .options = with({"--epochs", "1", "--steps-per-epoch", "2"}),
        .samples = {"40"},
        .check = is_of_photographs}},
      {"cnn-augmented.ini",
       {.data = photographs,
        .options = with({"--epochs", "1", "--steps-per-epoch", "2"}),
        .samples = {"40"},
        .check = is_of_photographs}},
      {"fashion-mnist.ini",
       {.data = clothes,
        .options = with({"--epochs", "1", "--limit-batches", "1"}),
        .samples = {"100"},
        .check =
            [](const nn::Model& model) {
              CHECK(model.input == Shape{28, 28, 1});
              CHECK(model.preprocessing.mean == std::vector<float>{0.5F});
              CHECK(model.preprocessing.deviation == std::vector<float>{0.5F});
            }}},
      {"fashion-mnist-cnn.ini",
       {.data = clothes,
        .options = with({"--epochs", "1", "--limit-batches", "1"}),
        .samples = {"128"},
        .check =
            [](const nn::Model& model) {
              CHECK(model.input == Shape{28, 28, 1});
              CHECK(model.layers[7].kind.is<nn::Dropout>());
            }}},
      {"transfer.ini",
       {.data = photographs,
        .options =
            [](const Scratch& s) {
              return Arguments{"--weights", write_lite0(s / "lite0.safetensors").string(),
                               "--epochs",  "1",
                               "--batch",   "4",
                               "--size",    "64"};
            },
        .samples = {"8"},
        .check =
            [](const nn::Model& model) {
              CHECK(model.input == Shape{64, 64, 3});
              CHECK(!model.layers.front().trainable);
              CHECK(model.layers.back().trainable);
            }}},
      {"vgg16-transfer.ini",
       {.data = photographs,
        .options =
            [](const Scratch& s) {
              return Arguments{"--weights",         write_vgg16(s / "vgg16.safetensors").string(),
                               "--epochs",          "1",
                               "--batch",           "4",
                               "--steps-per-epoch", "1"};
            },
        .samples = {"4"},
        .check =
            [](const nn::Model& model) {
              is_of_photographs(model);
              CHECK(!model.layers.front().trainable);
              CHECK(model.layers.back().trainable);
            }}},
      {"prune-mlp.ini",
       {.options = with({"--epochs", "1", "--prune-end", "24"}),
        .samples = {"800"},
        .check =
            [](const nn::Model& model) {
              CHECK(model.input == Shape{28, 28, 1});
            }}},
      {"prune-fashion-mnist.ini",
       {.data = clothes,
        .options = with({"--epochs", "1", "--limit-batches", "2", "--prune-begin", "0",
                         "--prune-end", "1", "--prune-frequency", "1"}),
        .samples = {"200"},
        .check =
            [](const nn::Model& model) {
              CHECK(model.input == Shape{28, 28, 1});
            }}},
  };
  return recipes;
}

std::vector<std::string> recipes() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kRecipes)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

TEST_CASE("every recipe runs") {
  const std::string name = GENERATE(from_range(recipes()));
  INFO(name);
  REQUIRE(shortened().count(name) == 1);
  const Shortened& recipe = shortened().at(name);
  const Scratch scratch;
  const fs::path run_dir = scratch / "run";
  Arguments arguments = {"train", "--recipe", (kRecipes / name).string(), "--run-dir",
                         run_dir.string()};
  if (recipe.data) arguments.push_back(recipe.data(scratch));
  const Arguments options = recipe.options(scratch);
  arguments.insert(arguments.end(), options.begin(), options.end());

  const Outcome outcome = run(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(outcome.err.empty());
  CHECK(column(run_dir, "samples") == recipe.samples);
  for (const std::string& loss : column(run_dir, "loss")) CHECK(std::isfinite(std::stod(loss)));
  recipe.check(load_model(run_dir / "model.safetensors").model);
}

TEST_CASE("a recipe says what it is for and how it is started") {
  for (const std::string& name : recipes()) {
    INFO(name);
    std::ifstream file(kRecipes / name);
    std::string line;
    REQUIRE(std::getline(file, line));
    CHECK(line.starts_with("# "));
    bool is_shown = false;
    while (std::getline(file, line) && line.starts_with('#')) {
      const bool is_command = line.starts_with("#   millrace train ");
      is_shown |= is_command && line.ends_with("--recipe " + name);
    }
    CHECK(is_shown);
  }
}
