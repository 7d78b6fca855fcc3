// Runs and models that an older program left on disk (tests/data/runs,
// tests/reference/record_runs.sh) load, are gone on with, and come to what they came to then.
//
// To the bit where the bits were seen to be the same: on x86-64 with AVX2 and FMA, which all our
// own kernels use alike, with oneDNN 2.6 and 3.7, held to SSE4.1 and to the algorithms that the
// runs name. Elsewhere within a tolerance; each case prints which of the two it did.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

fs::path recorded() {
  return fs::absolute(MILLRACE_TEST_DATA) / "runs";
}

/// What the runs were recorded with (tests/reference/record_runs.sh).
RunOptions as_recorded(const Scratch& scratch) {
  return {.directory = recorded(),
          .environment = {{"ONEDNN_MAX_CPU_ISA", "SSE41"},
                          {"XDG_CACHE_HOME", (scratch / "cache").string()}}};
}

bool has_fused_arithmetic() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

/// Whether bits must be equal, by the line with which the program describes its device.
bool repeats_to_the_bit(const std::string& device) {
  const bool is_known = holds(device, "oneDNN 2.6.") || holds(device, "oneDNN 3.7.");
  const bool is_held = holds(device, "SSE4.1");
  const bool to_the_bit = has_fused_arithmetic() && is_known && is_held;
  std::cout << "older runs: compared " << (to_the_bit ? "to the bit" : "within a tolerance") << ": "
            << device.substr(std::min(device.find("oneDNN"), device.size()))
            << (has_fused_arithmetic() ? "" : ", without AVX2 and FMA") << '\n';
  return to_the_bit;
}

/// These runs' models normalise by batch, which was oneDNN's work then and is a loop of our own now
/// (docs/decisions.md): the same formula, in another order of sums.
bool has_batch_norm(const std::string& name) {
  return name == "convnet" || name == "frozen";
}

std::string line_with(const std::string& text, const std::string& part) {
  for (const std::string& line : Outcome::lines(text)) {
    if (holds(line, part)) return line;
  }
  return {};
}

/// The arguments with which a run is gone on with. DATA and files that the run names by where they
/// were then are named by where they are now.
Arguments resuming(const std::string& name, const fs::path& run_dir) {
  Arguments arguments = {"train", "--resume", run_dir.string()};
  const auto add = [&](const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  if (name == "convnet" || name == "frozen") {
    add({(recorded() / "pictures").string(), "--model", (recorded() / "convnet.json").string()});
  }
  if (name == "frozen") {
    add({"--weights", (recorded() / "convnet" / "model.safetensors").string()});
  }
  return arguments;
}

std::vector<fs::path> checkpoints_of(const fs::path& run_dir) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(run_dir / "checkpoints")) {
    if (entry.path().filename().string().rfind("step-", 0) == 0) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

/// A copy of a run as if it had been killed behind one of its checkpoints.
void copy_cut_back(const fs::path& run, const fs::path& to, std::size_t last) {
  fs::copy(run, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const std::vector<fs::path> files = checkpoints_of(to);
  for (std::size_t i = last + 1; i < files.size(); ++i) fs::remove(files[i]);
  if (!fs::exists(to / "checkpoints/best.ckpt")) {  // the best came later
    fs::remove(to / "checkpoints/best.ckpt");
    fs::remove(to / "best.safetensors");
  }
  fs::remove(to / "model.safetensors");
  fs::remove(to / "metrics.csv");
}

/// Other roundings grow from step to step: other instruction sets were seen to end within 0.006 of
/// these losses. A share of the few samples can change by a sample or two.
void check_close(const std::vector<Row>& rows, const std::vector<Row>& expected) {
  constexpr double kLoss = 0.05, kShare = 0.15;
  REQUIRE(!rows.empty());
  for (std::size_t i = 0; i < std::min(rows.size(), expected.size()); ++i) {
    for (const auto& [name, value] : expected[i]) {
      INFO("epoch " << i + 1 << ", " << name);
      CHECK(std::abs(std::stod(rows[i].at(name)) - std::stod(value)) <=
            (holds(name, "loss") ? kLoss : kShare));
    }
  }
}

/// Numbers equal but for a relative error, all else equal.
void check_alike(const nlohmann::json& value, const nlohmann::json& expected, double tolerance) {
  if (expected.is_number()) {
    const auto number = expected.get<double>();
    CHECK(std::abs(value.get<double>() - number) <= tolerance * std::max(1.0, std::abs(number)));
  } else if (expected.is_structured()) {
    const bool has_index = value.contains("index") && !expected.contains("index");  // told since
    REQUIRE(value.size() - (has_index ? 1 : 0) == expected.size());
    for (const auto& [key, member] : expected.items()) {
      INFO(key);
      check_alike(expected.is_array() ? value.at(std::stoul(key)) : value.at(key), member,
                  tolerance);
    }
  } else {
    CHECK(value == expected);
  }
}

std::string said(const std::string& name) {
  return text_of(recorded() / "said" / name);
}

/// The device that models are evaluated on, as the program describes it.
std::string device_of(const RunOptions& options) {
  return json_of(run({"evaluate", "dense", "generated:240x10x10x1:4", "--device", "cpu", "--json"},
                     options))
      .at("device")
      .get<std::string>();
}

}  // namespace

TEST_CASE("runs of an older program are gone on with, and end as they ended then") {
  const std::string name = GENERATE("dense", "pruned", "convnet", "frozen");
  CAPTURE(name);
  const Scratch scratch;
  const fs::path then = recorded() / name;
  const std::vector<fs::path> checkpoints = checkpoints_of(then);
  REQUIRE(checkpoints.size() >= 3);
  for (std::size_t i = 0; i + 1 < checkpoints.size(); ++i) {
    INFO("from " << checkpoints[i].filename());
    const fs::path now = scratch / (name + std::to_string(i));
    copy_cut_back(then, now, i);
    const Outcome outcome = run(resuming(name, now), as_recorded(scratch));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    const std::string step = checkpoints[i].stem().string().substr(5);
    CHECK_THAT(outcome.out, Contains("resumes    after step " + std::to_string(std::stoi(step))));
    if (repeats_to_the_bit(line_with(outcome.out, "device ")) && !has_batch_norm(name)) {
      CHECK(read_file(now / "model.safetensors") == read_file(then / "model.safetensors"));
      CHECK(read_file(now / "best.safetensors") == read_file(then / "best.safetensors"));
      CHECK(figures(now) == figures(then));
    } else {
      CHECK(fs::file_size(now / "model.safetensors") == fs::file_size(then / "model.safetensors"));
      check_close(figures(now), figures(then));
    }
  }
}

TEST_CASE("a run of an older program needs neither the file of its model nor that of its weights") {
  const std::string name = GENERATE("convnet", "frozen");
  CAPTURE(name);
  const Scratch scratch;
  const fs::path with_files = scratch / "with-files", without = scratch / "without";
  for (const fs::path& now : {with_files, without}) {
    copy_cut_back(recorded() / name, now, 0);
    Arguments arguments = resuming(name, now);
    if (now == without) {
      arguments.resize(4);  // up to DATA
      // Ways that the older program did not know are timed once: times are never the same twice.
      fs::copy_file(with_files / "algorithms.json", now / "algorithms.json",
                    fs::copy_options::overwrite_existing);
    }
    const Outcome outcome = run(arguments, as_recorded(scratch));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
  }
  for (const char* file : {"model.safetensors", "best.safetensors"}) {
    CHECK(read_file(without / file) == read_file(with_files / file));
  }
  CHECK(figures(without) == figures(with_files));
}

TEST_CASE("a run of an older program that goes on with another monitor begins its best anew") {
  const Scratch scratch;
  const fs::path now = scratch / "dense";
  copy_cut_back(recorded() / "dense", now, 0);
  Arguments arguments = resuming("dense", now);
  arguments.insert(arguments.end(), {"--monitor", "accuracy"});
  const std::string told = "accuracy is watched from here on, not val_loss";
  // Also after it was killed before its first checkpoint, which leaves only its config.ini.
  std::map<fs::path, std::string> begun;
  for (const fs::path& file : checkpoints_of(now)) begun[file] = "";
  for (const int time : {1, 2}) {
    const Outcome outcome = run(arguments, as_recorded(scratch));
    INFO("time " << time << outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK_THAT(outcome.out, Contains(told));
    for (const fs::path& file : checkpoints_of(now)) {
      if (begun.count(file) == 0) fs::remove(file);
    }
  }
}

TEST_CASE("a run that an older program finished is complete") {
  const std::string name = GENERATE("dense", "pruned", "convnet", "frozen");
  CAPTURE(name);
  const Scratch scratch;
  const fs::path now = scratch / name;
  fs::copy(recorded() / name, now, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  fs::remove(now / "model.safetensors");  // written again from the last checkpoint
  const Outcome outcome = run(resuming(name, now), as_recorded(scratch));
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK(read_file(now / "model.safetensors") == read_file(recorded() / name / "model.safetensors"));
  CHECK(figures(now) == figures(recorded() / name));
}

TEST_CASE("models of an older program evaluate as they did then") {
  const Scratch scratch;
  const RunOptions options = as_recorded(scratch);
  const bool to_the_bit = repeats_to_the_bit(device_of(options));
  for (const auto& [name, data] :
       std::map<std::string, std::string>{{"dense", "generated:240x10x10x1:4"},
                                          {"pruned", "generated:200x30:2"},
                                          {"convnet", "pictures"},
                                          {"frozen", "pictures"}}) {
    CAPTURE(name);
    const Arguments arguments = {
        "evaluate", name + "/model.safetensors", data, "--device", "cpu", "--threads",
        "1",        "--compute-threads",         "1",  "--json"};
    nlohmann::json now = json_of(run(arguments, options));
    for (const char* of_the_machine : {"seconds", "images_per_s", "device"}) {
      now.erase(of_the_machine);
    }
    now.erase("measured");  // which older programs did not tell
    const double rounding = has_batch_norm(name) ? 1e-6 : 0;
    check_alike(now, nlohmann::json::parse(said(name + ".evaluation.json")),
                to_the_bit ? rounding : 1e-4);
  }
}

TEST_CASE("run directories of an older program predict as they did then") {
  // In float32, and oneDNN 2.6 and 3.7 round the exponentials of a softmax differently.
  constexpr double kTolerance = 1e-6;
  const Scratch scratch;
  const RunOptions options = as_recorded(scratch);
  const bool is_held = repeats_to_the_bit(device_of(options));
  for (const std::string name : {"convnet", "frozen"}) {
    CAPTURE(name);
    const Outcome outcome = run({"predict", name, "pictures", "--top", "3", "--device", "cpu",
                                 "--threads", "1", "--compute-threads", "1", "--json"},
                                options);
    REQUIRE(outcome.status == 0);
    const std::vector<std::string> now = Outcome::lines(outcome.out);
    const std::vector<std::string> then = Outcome::lines(said(name + ".predictions.json"));
    REQUIRE(now.size() == then.size());
    CHECK(now.size() == 42);
    for (std::size_t i = 0; i < now.size(); ++i) {
      check_alike(nlohmann::json::parse(now[i]), nlohmann::json::parse(then[i]),
                  is_held ? kTolerance : 1e-4);
    }
  }
}

TEST_CASE("models of an older program are described as they were then") {
  for (const std::string name : {"dense", "pruned", "convnet", "frozen"}) {
    CAPTURE(name);
    const Outcome outcome =
        run({"inspect", name + "/model.safetensors"}, {.directory = recorded(), .environment = {}});
    REQUIRE(outcome.status == 0);
    std::string text = outcome.out;  // less the memory, which is the program's and not the model's
    const std::size_t memory = text.find("memory at batch");
    REQUIRE(memory != std::string::npos);
    text.erase(memory, text.find("\n\n", memory) + 2 - memory);
    std::string then = said(name + ".model.txt");
    const std::size_t word = then.find("pictures resized");  // which are called images since
    if (word != std::string::npos) then.replace(word, 8, "images");
    CHECK(text == then);
  }
}

TEST_CASE("weights of Keras are converted to the same bytes as by an older program") {
  const Scratch scratch;
  const fs::path keras = fs::absolute(MILLRACE_TEST_DATA) / "io/weights/saved.h5";
  const fs::path converted = scratch / "saved.safetensors";
  // It knew no orientation: images were taken as they were stored.
  auto described = nlohmann::json::parse(std::ifstream(recorded() / "keras.json"));
  described["preprocessing"]["exif_orientation"] = false;
  const fs::path model = scratch.write("keras.json", described.dump());
  const Outcome outcome = run({"convert", "weights", keras.string(), converted.string(), "--model",
                               model.string(), "--quiet"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(read_file(converted) == read_file(recorded() / "saved.safetensors"));
}
