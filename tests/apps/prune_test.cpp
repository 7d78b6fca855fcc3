// millrace prune: a trained model, pruned at once.

#include "apps/known_model.h"

#include <millrace/nn/initialize.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

using namespace millrace;
using namespace millrace::test;

namespace {

std::filesystem::path save_small_model(const std::filesystem::path& path) {
  const nn::Model model =
      nn::ModelBuilder("small", {8, 8, 1}).conv(4).relu().flatten().dense(5).softmax().build();
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  nn::initialize(model, 1, values);
  save_model(path, model, values);
  return path;
}

std::map<std::string, std::ptrdiff_t> zeros(const std::filesystem::path& path) {
  const SavedModel saved = load_model(path);
  std::map<std::string, std::ptrdiff_t> counts;
  for (const nn::Parameter& p : nn::parameters(saved.model)) {
    const auto begin = saved.parameters.begin() + p.offset;
    counts[p.name] = std::count(begin, begin + p.shape.elements(), 0.0F);
  }
  return counts;
}

}  // namespace

TEST_CASE("prune makes the smallest weights of each kernel zero and tells sizes") {
  const Scratch scratch;
  const std::string model = save_small_model(scratch / "model.safetensors").string();
  const std::string out = (scratch / "pruned.safetensors").string();
  const nlohmann::json result = json_of(run({"prune", model, out, "--sparsity", "0.75", "--json"}));
  const auto counts = zeros(out);
  CHECK(counts.at("conv1.weight") == 27);    // of 36
  CHECK(counts.at("dense1.weight") == 540);  // of 720
  CHECK(result["sparsity"].get<double>() == 0.75);
  CHECK(result["tensors"][0]["name"] == "conv1.weight");
  CHECK(result["pruned"]["bytes"] == std::filesystem::file_size(out));
  CHECK(result["pruned"]["gzip_bytes"] < result["dense"]["gzip_bytes"]);

  // What is left is as it was, and larger than what is gone.
  const SavedModel before = load_model(model), after = load_model(out);
  for (std::size_t i = 0; i < before.parameters.size(); ++i) {
    CHECK((after.parameters[i] == 0 || after.parameters[i] == before.parameters[i]));
  }
  CHECK(after.model == before.model);
}

TEST_CASE("prune prints a table and leaves out what it is told to") {
  const Scratch scratch;
  const std::string model = save_small_model(scratch / "model.safetensors").string();
  const std::string out = (scratch / "pruned.safetensors").string();
  const Outcome outcome = run({"prune", model, out, "--exclude", "dense1"});
  CHECK(outcome.status == 0);
  CHECK(holds(outcome.out, "conv1.weight"));
  CHECK(!holds(outcome.out, "dense1.weight"));
  CHECK(holds(outcome.out, "times smaller"));
  CHECK(zeros(out).at("dense1.weight") == 0);
  CHECK(zeros(out).at("conv1.weight") == 18);
  check_refused({"prune", model, out}, 1, "--overwrite");
  CHECK(run({"prune", model, out, "--overwrite", "--quiet"}).out.empty());
}

TEST_CASE("zeros that are there are part of the share, and the report counts those of the file") {
  const Scratch scratch;
  const std::string model = save_small_model(scratch / "model.safetensors").string();
  const std::string most = (scratch / "most.safetensors").string();
  const std::string half = (scratch / "half.safetensors").string();
  REQUIRE(run({"prune", model, most, "--sparsity", "0.8", "--quiet"}).status == 0);
  CHECK(zeros(most).at("dense1.weight") == 576);  // of 720
  const nlohmann::json result = json_of(run({"prune", most, half, "--json"}));
  CHECK(zeros(half).at("dense1.weight") == 576);  // the half is among them
  CHECK(result["tensors"][1]["pruned"] == 576);
  CHECK(result["sparsity"].get<double>() == Approx((29 + 576) / 756.0));  // 28.8 of 36
  const Outcome text = run({"prune", most, half, "--overwrite"});
  CHECK(holds(text.out, "0.8000"));
  CHECK(!holds(text.out, "0.5000"));
}

TEST_CASE("equal weights are pruned to the share") {
  const Scratch scratch;
  const nn::Model model = nn::ModelBuilder("equal", {10}).dense(3).softmax().build();
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))),
                            -0.5F);
  save_model(scratch / "model.safetensors", model, values);
  const std::string out = (scratch / "out.safetensors").string();
  REQUIRE(
      run({"prune", (scratch / "model.safetensors").string(), out, "--sparsity", "0.4"}).status ==
      0);
  CHECK(zeros(out).at("dense1.weight") == 12);
  CHECK(load_model(out).parameters[11] == 0);
  CHECK(load_model(out).parameters[12] == -0.5F);
}

TEST_CASE("weights that are not numbers are not pruned, and the tensor is named") {
  const Scratch scratch;
  const std::string model = save_small_model(scratch / "model.safetensors").string();
  SavedModel saved = load_model(model);
  for (const nn::Parameter& p : nn::parameters(saved.model)) {
    if (p.name == "dense1.weight") saved.parameters[static_cast<std::size_t>(p.offset)] = NAN;
  }
  save_model(model, saved.model, saved.parameters);
  const std::string out = (scratch / "out.safetensors").string();
  check_refused({"prune", model, out}, 1,
                model + ": dense1.weight cannot be pruned: 1 of its 720 weights are not numbers");
  CHECK(!std::filesystem::exists(out));
  CHECK(run({"prune", model, out, "--exclude", "dense1", "--quiet"}).status == 0);
}

TEST_CASE("prune refuses what cannot be meant in one line") {
  const Scratch scratch;
  const std::string model = save_small_model(scratch / "model.safetensors").string();
  const std::string out = (scratch / "pruned.safetensors").string();
  check_refused({"prune"}, 2, "needs MODEL and OUT");
  check_refused({"prune", model, out, "--sparsity", "1"}, 2, "--sparsity must be in [0, 1), not 1");
  check_refused({"prune", model, out, "--include", "fc*"}, 2, "'fc*' matches no kernel");
  check_refused({"prune", (scratch / "none").string(), out}, 1, "none");
  CHECK(!std::filesystem::exists(out));
}
