#include "apps/known_model.h"

using namespace millrace;
using namespace millrace::test;

namespace {

/// With few repeats, since the numbers do not matter here.
std::vector<std::string> words(std::vector<std::string> first) {
  for (const char* word : {"--repeats", "3", "--warmup", "1"}) first.emplace_back(word);
  return first;
}

void check_spread(const nlohmann::json& spread) {
  CHECK(spread["min"] > 0);
  CHECK(spread["min"] <= spread["median"]);
  CHECK(spread["median"] <= spread["max"]);
}

}  // namespace

TEST_CASE("bench compute sweeps batch sizes and tells speed, memory and the machine") {
  const auto result = json_of(
      run(words({"bench", "compute", "mlp:32", "--batch", "1,16", "--steps", "3", "--json", "-"})));
  CHECK(result["input"] == "28x28x1");
  CHECK(result["outputs"] == 10);
  CHECK(result["machine"]["cores"] >= 1);
  CHECK(!result["machine"]["cpu"].get<std::string>().empty());
  REQUIRE(result["devices"].size() == 1);
  CHECK(holds(result["devices"][0]["engine"], "oneDNN"));
  const auto& batches = result["devices"][0]["batches"];
  REQUIRE(batches.size() == 2);
  CHECK(batches[0]["batch"] == 1);
  CHECK(batches[1]["batch"] == 16);
  CHECK(batches[1]["memory"]["activations"] > batches[0]["memory"]["activations"]);
  for (const auto& batch : batches) {
    for (const char* part : {"train_ms", "evaluate_ms", "copy_ms"}) check_spread(batch[part]);
    CHECK(batch["train_steps"] == 3);
    CHECK(batch["train_images_per_s"].get<double>() ==
          Approx(1e3 * batch["batch"].get<double>() / batch["train_ms"]["median"].get<double>()));
    CHECK(batch["training_bytes"] > batch["evaluation_bytes"]);
  }
}

TEST_CASE("bench compute tells the share of each operation, and all of them make the whole") {
  const auto result =
      json_of(run(words({"bench", "compute", "cnn:4:8", "--input", "16x16x3", "--classes", "2",
                         "--steps", "2", "--operations", "--json", "-"})));
  CHECK(result["outputs"] == 1);
  const auto& operations = result["devices"][0]["batches"][0]["operations"];
  double sum = 0;
  bool has_convolution = false;
  for (const auto& operation : operations) {
    sum += operation["share"].get<double>();
    has_convolution = has_convolution || holds(operation["name"], "conv1");
    CHECK(!operation["implementation"].get<std::string>().empty());
    CHECK(operation["calls"] > 0);
  }
  CHECK(has_convolution);
  CHECK(sum == Approx(1));
}

TEST_CASE("bench compute takes a momentum, whose state is in the memory that it tells") {
  const auto state = [](const char* momentum) {
    const auto result =
        json_of(run(words({"bench", "compute", "mlp:32", "--optimizer", "sgd", "--momentum",
                           momentum, "--steps", "1", "--json", "-"})));
    CHECK(result["momentum"] == std::stod(momentum));
    return result["devices"][0]["batches"][0]["memory"]["optimizer state"].get<double>();
  };
  CHECK(state("0") == 0);
  CHECK(state("0.9") > 0);
}

TEST_CASE("bench compute times steps with the masks of pruning beside steps without") {
  const std::vector<std::string> arguments =
      words({"bench", "compute", "mlp:8", "--batch", "4", "--steps", "2", "--masks"});
  CHECK(holds(run(arguments).out, "with the masks of pruning a training step at batch 4 takes "));
  std::vector<std::string> with_json = arguments;
  with_json.insert(with_json.end(), {"--json", "-"});
  const auto measured = json_of(run(with_json))["devices"][0]["batches"][0];
  check_spread(measured["masked_ms"]);
  check_spread(measured["unmasked_ms"]);
  CHECK(measured["memory"]["masks"] > 0);
}

TEST_CASE("bench compute compares devices and says where there is no engine") {
  auto arguments =
      words({"bench", "compute", "mlp:8", "--devices", "cpu,gpu", "--batch", "4", "--steps", "2"});
  const Outcome text = run(arguments);
  CHECK(text.status == 0);
  CHECK(text.err.empty());
  CHECK(holds(text.out, "batch 4  training ms"));
  for (const char* word : {"--json", "-"}) arguments.emplace_back(word);
  const auto result = json_of(run(arguments));
  REQUIRE(result["devices"].size() == 2);
  const auto& gpu = result["devices"][1];
  CHECK(gpu["device"] == "gpu");
  if (gpu.contains("no_engine")) {
    CHECK(holds(text.out, "no engine"));
    CHECK(holds(text.out, "gpu: " + gpu["no_engine"].get<std::string>()));
    CHECK(gpu["batches"].empty());
  } else {
    CHECK(gpu["batches"].size() == 1);
  }
}

TEST_CASE("bench train measures the pipeline and its loading half on synthetic samples") {
  const auto result =
      json_of(run(words({"bench", "train", "--input", "12x10x3", "--classes", "3", "--samples",
                         "50", "--model", "mlp:8", "--batch", "8,20", "--json", "-"})));
  const auto& batches = result["devices"][0]["batches"];
  REQUIRE(batches.size() == 2);
  CHECK(batches[0]["steps"] == 7);
  CHECK(batches[1]["steps"] == 3);
  for (const auto& batch : batches) {
    CHECK(batch["samples"] == 50);
    check_spread(batch["images_per_s"]);
    check_spread(batch["loading_alone_images_per_s"]);
    for (const char* part : {"loading_ms", "copying_ms", "computing_ms", "overlapped_ms"}) {
      CHECK(batch[part] > 0);
    }
    CHECK(batch["report"]["stages"].size() == 12);
    CHECK(batch["loading_report"]["name"] == "loading alone");
    for (const char* part : {"loading_ms", "bare_ms", "update_ms", "training_is_times"}) {
      check_spread(batch["cpu_time"][part]);
    }
  }
}

TEST_CASE("bench train reads a data set, prints its stages and writes JSON beside") {
  const Scratch scratch;
  const std::string data = (scratch / "d").string();
  write_classes(scratch / "d/train", {"a", "b"}, 6);
  write_classes(scratch / "d/val", {"a", "b"}, 1);
  std::filesystem::create_directory(scratch / "out");
  const std::string file = (scratch / "out/bench.json").string();
  const Outcome outcome = run(words({"bench", "train", data, "--model", "mlp:8", "--batch", "4",
                                     "--epochs", "2", "--json", file}));
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK(holds(outcome.out, "12 images"));
  CHECK(holds(outcome.out, "loading alone"));
  CHECK(holds(outcome.out, "bottleneck: "));
  CHECK(holds(outcome.out, "batch 4  their sum ms"));
  CHECK(holds(outcome.out, "CPU time of a step apart: loading "));
  const std::vector<std::byte> bytes = read_file(file);
  const auto result =
      nlohmann::json::parse(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  CHECK(result["devices"][0]["batches"][0]["samples"] == 24);
  const std::filesystem::directory_iterator entries(scratch / "out");
  CHECK(std::distance(begin(entries), end(entries)) == 1);  // no temporary file is left
}

TEST_CASE("bench augment tells what changes of images cost") {
  const Outcome usual = run({"bench", "augment", "--input", "32x32x3", "--repeats", "1"});
  CHECK(usual.status == 0);
  CHECK(holds(usual.out, "32x32x3, uint8: "));
  CHECK(holds(usual.out, "ns a pixel"));
  const Outcome own =
      run({"bench", "augment", "--input", "28x28x1", "--repeats", "2", "--flip", "--json", "-"});
  const auto result = nlohmann::json::parse(own.out);
  CHECK(result["input"] == "28x28x1");
  check_spread(result["us_a_picture"]);
  check_spread(result["ns_a_pixel"]);
}

TEST_CASE("bench runtime tells the cost of a hop and the distance to oneTBB's own pipeline") {
  const std::vector<std::string> small = {"bench",   "runtime", "--hops",    "20000",
                                          "--items", "200",     "--repeats", "3",
                                          "--work",  "5",       "--threads", "2"};
  const Outcome text = run(small);
  CHECK(text.status == 0);
  CHECK(holds(text.out, "a hop, stages one at a time"));
  CHECK(holds(text.out, "to a loop over a range"));
  CHECK(holds(text.out, "parallel_pipeline"));
  std::vector<std::string> json = small;
  json.insert(json.end(), {"--json", "-"});
  const auto result = json_of(run(json));
  check_spread(result["end"]["sink_us"]);
  check_spread(result["end"]["range_us"]);
  CHECK(result["end"]["more_us"].contains("median"));
  check_spread(result["chain"]["pipeline_s"]);
  check_spread(result["chain"]["parallel_pipeline_s"]);
  check_spread(result["chain"]["ratio"]);
  CHECK(result["hop_one_at_a_time"]["core_ns"].contains("median"));
  CHECK(result["machine"]["threads"] == 2);
}

TEST_CASE("bench refuses bad requests in one line") {
  check_refused({"bench"}, 2, "no benchmark; choose");
  check_refused({"bench", "compote"}, 2, "unknown benchmark 'compote'");
  check_refused({"bench", "compute"}, 2, "no MODEL");
  check_refused({"bench", "compute", "cnn", "--batch", "1,x"}, 2,
                "--batch must be a list with commas, each a whole number");
  check_refused({"bench", "compute", "cnn", "--devices", "tpu"}, 2, "'tpu'");
  check_refused({"bench", "compute", "cnn", "--repeats", "0"}, 2, "--repeats");
  check_refused({"bench", "compute", "cnn", "--input", "4x4x1"}, 1, "conv2");
  check_refused({"bench", "compute", "none"}, 1, "none: no such model file");
  check_refused({"bench", "compute", "mlp:8", "--optimizer", "sdg"}, 2, "sdg");
  check_refused({"bench", "compute", "mlp:8", "--momentum", "0.9"}, 2, "--momentum");
  check_refused({"bench", "train", "--optimizer", "sgd", "--momentum", "1"}, 2, "in [0, 1)");
  check_refused({"bench", "train", "none"}, 1, "none: ");
  check_refused({"bench", "train", "--input", "8x8x2"}, 2, "channels");
  check_refused({"bench", "train", "--samples", "0"}, 2, "--samples");
  check_refused({"bench", "train", "--rotation-range=-1"}, 2, "bench train: --rotation-range");
  check_refused({"bench", "runtime", "--hops", "1"}, 2, "--hops");
  check_refused({"bench", "runtime", "--work=-1"}, 2, "--work");
  check_refused({"bench", "augment", "--input", "8"}, 2, "--input");
  check_refused({"bench", "augment", "--zoom-range", "2,1"}, 2, "bench augment: --zoom-range");
}
