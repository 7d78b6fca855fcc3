// Models that the program trained, pruned and converted, in onnxruntime and in PyTorch.

#include "apps/train_run.h"
#include "training/onnx_files.h"

#include <millrace/core/random.h>
#include <millrace/training/saved_model.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

std::vector<float> random_samples(const nn::Model& model, std::int64_t count) {
  Random random(7, 3, 0, Purpose::user);
  std::vector<float> values(static_cast<std::size_t>(count * model.input.elements()));
  for (float& value : values) value = static_cast<float>(random.normal());
  return values;
}

void done(const Arguments& arguments) {
  const test::Outcome outcome = run(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
}

/// A recipe, shortened.
fs::path trained_by(const Scratch& scratch, const std::string& recipe, const Arguments& more) {
  const fs::path run_dir = scratch / recipe;
  done(with({"train", "--recipe", MILLRACE_RECIPES "/" + recipe, "--run-dir", run_dir.string(),
             "--epochs", "1"},
            more));
  return run_dir;
}

}  // namespace

TEST_CASE("onnxruntime gives our outputs for trained and pruned models of the recipes") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  fs::create_directories(scratch / "onnx");
  OnnxFiles files(scratch / "onnx");
  const auto add = [&](const fs::path& model) {
    const fs::path file = fs::is_directory(model) ? model / "model.safetensors" : model;
    done({"convert", "onnx", model.string(), files.next().string()});
    const SavedModel saved = load_model(file);
    const std::vector<float> samples = random_samples(saved.model, 2);
    files.expect(model.filename().string(), saved.model.input, samples,
                 outputs_for(saved, samples));
  };
  const std::string photographs =
      write_classes(scratch / "photographs", {"cats", "dogs"}, 5, 40).string();
  const std::string clothes = write_classes(scratch / "clothes", {"0", "1", "2"}, 25, 28).string();
  const Arguments two{"--limit-batches", "2"};
  add(trained_by(scratch, "cnn.ini", {photographs, "--steps-per-epoch", "2"}));
  add(trained_by(scratch, "fashion-mnist.ini", with({clothes, "--channels", "1"}, two)));
  add(trained_by(scratch, "fashion-mnist-cnn.ini", with({clothes, "--channels", "1"}, two)));
  add(trained_by(scratch, "prune-mlp.ini", {"--prune-end", "24"}));
  add(trained_by(scratch, "prune-fashion-mnist.ini",
                 {clothes, "--channels", "1", "--limit-batches", "2", "--prune-begin", "0",
                  "--prune-end", "1", "--prune-frequency", "1"}));
  const fs::path pruned = scratch / "pruned.safetensors";
  done({"prune", (scratch / "cnn.ini").string(), pruned.string(), "--sparsity", "0.8"});
  add(pruned);
  files.check(*python);
}

TEST_CASE("PyTorch loads what convert weights wrote with strict, and gives our outputs") {
  const auto python = peers_python();
  if (!python) return;
  const Scratch scratch;
  // torch_network() of run_weights.py.
  nn::ModelBuilder builder("small", {12, 10, 3});
  builder.conv(8, 3, nn::Padding::all(1)).named("stem.conv").batch_norm().named("stem.bn").relu();
  builder.residual([](nn::ModelBuilder& b) {
    b.depthwise_conv(3, nn::Padding::all(1)).named("block.depthwise");
    b.layer_norm().named("block.norm").conv(8, 1).named("block.project");
  });
  builder.max_pool().flatten().dense(7).named("hidden").relu().dense(4).named("classes");
  const nn::Model model = builder.build();
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  Random random(5, 3, 0, Purpose::user);
  for (const nn::Parameter& p : nn::parameters(model)) {
    for (std::int64_t i = 0; i < p.shape.elements(); ++i) {
      weights[static_cast<std::size_t>(p.offset + i)] = static_cast<float>(
          random.uniform(p.role == nn::Role::running_variance ? 0.1 : -0.5, 0.5));
    }
  }
  const SavedModel saved{model, weights};
  save_model(scratch / "model.safetensors", model, weights);
  done({"convert", "weights", (scratch / "model.safetensors").string(),
        (scratch / "torch.safetensors").string()});
  const std::vector<float> samples = random_samples(model, 3);
  write_file(scratch / "samples.f32", std::as_bytes(std::span(samples)));
  const auto answer =
      nlohmann::json::parse(ask_peer(*python, "run_weights.py", {scratch.path().string()}));
  const auto found = answer.at("outputs").get<std::vector<float>>();
  const std::vector<float> ours = outputs_for(saved, samples);
  REQUIRE(found.size() == ours.size());
  for (std::size_t i = 0; i < ours.size(); ++i) CHECK(found[i] == Approx(ours[i]).margin(1e-4));

  // What PyTorch saves again is the model it was, to the bit.
  done({"convert", "weights", (scratch / "saved.safetensors").string(),
        (scratch / "back.safetensors").string(), "--model",
        (scratch / "model.safetensors").string()});
  CHECK(load_model(scratch / "back.safetensors").parameters == weights);
}
