#include "apps/known_model.h"

#include <signal.h>
#include <sys/stat.h>
#include <cmath>
#include <filesystem>

using namespace millrace;
using namespace millrace::test;

namespace {

std::vector<nlohmann::json> json_lines(const std::string& text) {
  std::vector<nlohmann::json> all;
  for (const std::string& line : Outcome::lines(text)) all.push_back(nlohmann::json::parse(line));
  return all;
}

/// Probabilities 0.2, 0.3, 0.5 for whatever image; with `softmax` false it gives their
/// logarithms.
std::filesystem::path save_constant_model(const std::filesystem::path& path, bool softmax) {
  nn::ModelBuilder builder("constant", {4, 4, 1});
  builder.flatten().dense(3);
  if (softmax) builder.softmax();
  const nn::Model model = builder.classes({"a", "b", "c"}).build();
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(parameters)));
  for (const nn::Parameter& p : parameters) {
    if (p.role != nn::Role::bias) continue;
    const auto offset = static_cast<std::size_t>(p.offset);
    values[offset] = std::log(0.2F);
    values[offset + 1] = std::log(0.3F);
    values[offset + 2] = std::log(0.5F);
  }
  save_model(path, model, values);
  return path;
}

}  // namespace

TEST_CASE("predict gives path, class and the probability that arithmetic gives") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string dark = write_plain(scratch / "x.png", 60).string();
  const std::string light = write_plain(scratch / "y.png", 200, 40).string();
  const Outcome text = run({"predict", model, light, dark});
  CHECK(text.status == 0);
  CHECK(text.err.empty());
  CHECK(text.out == light + "\tlight\t0.9450\n" + dark + "\tdark\t0.9338\n");

  const auto lines = json_lines(run({"predict", model, dark, "--json", "--top", "2"}).out);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0]["path"] == dark);
  REQUIRE(lines[0]["classes"].size() == 2);
  CHECK(lines[0]["classes"][0]["class"] == "dark");
  CHECK(lines[0]["classes"][0]["index"] == 0);
  CHECK(lines[0]["classes"][1]["index"] == 1);
  // Float32 arithmetic in the engine.
  CHECK(lines[0]["classes"][0]["probability"].get<double>() ==
        Approx(1 - light_of(60)).epsilon(1e-5));
  CHECK(lines[0]["classes"][1]["probability"].get<double>() == Approx(light_of(60)).epsilon(1e-5));
}

TEST_CASE("predict orders the K likeliest classes, with softmax or from logits") {
  const Scratch scratch;
  const std::string image = write_plain(scratch / "x.png", 60).string();
  for (const bool softmax : {true, false}) {
    const std::string model = save_constant_model(scratch / "model.safetensors", softmax).string();
    CHECK(run({"predict", model, image, "--top", "9"}).out ==
          image + "\tc\t0.5000\tb\t0.3000\ta\t0.2000\n");
    CHECK(run({"predict", model, image, "--top", "2"}).out == image + "\tc\t0.5000\tb\t0.3000\n");
  }
}

TEST_CASE("predict takes files, folders with all below them, and patterns") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  for (const char* name : {"d/b.png", "d/a.png", "d/deep/er/c.PNG", "e/1.png", "e/2.png"}) {
    write_plain(scratch / name, 30);
  }
  write_plain(scratch / "e/deep/3.png", 30);
  std::filesystem::create_directory_symlink(scratch / "e/deep", scratch / "d/linked");
  const RunOptions there{.directory = scratch.path()};
  const auto paths = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"predict", model, "--json", "--batch", "2"});
    const Outcome outcome = run(arguments, there);
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    std::vector<std::string> all;
    for (const auto& line : json_lines(outcome.out)) all.push_back(line["path"]);
    return all;
  };
  CHECK(paths({"d"}) ==
        std::vector<std::string>{"d/a.png", "d/b.png", "d/deep/er/c.PNG", "d/linked/3.png"});
  CHECK(paths({"e/?.png", "d/a.png"}) == std::vector<std::string>{"e/1.png", "e/2.png", "d/a.png"});
  write_plain(scratch / "e/[2].png", 30);
  CHECK(paths({"e/[2].png"}) == std::vector<std::string>{"e/[2].png"});
}

TEST_CASE("predict names what it cannot read, goes on, and ends with status 1") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string good = write_plain(scratch / "good.png", 60).string();
  const std::string bad = scratch.write("bad.png", "no image").string();
  std::filesystem::create_directory(scratch / "empty");
  const Outcome outcome = run({"predict", model, bad, good, (scratch / "missing.png").string(),
                               (scratch / "empty").string(), (scratch / "*.gif").string()});
  CHECK(outcome.status == 1);
  CHECK(outcome.out == good + "\tdark\t0.9338\n");
  CHECK(Outcome::lines(outcome.err).size() == 4);
  for (const char* name : {"bad.png", "missing.png", "empty: no images", "*.gif: matches no"}) {
    CHECK(holds(outcome.err, name));
  }
  check_refused({"predict", model, bad}, 1, "bad.png");
  check_refused({"predict", model, (scratch / "empty").string()}, 1, "empty: no images");
}

TEST_CASE("what predict says of a data set is what evaluate sums up") {
  const Scratch scratch;
  const std::string data = write_classes(scratch / "data", {"a", "b", "c"}, 5).string();
  const std::string run_dir = (scratch / "run").string();
  REQUIRE(run({"train", data, "--epochs", "2", "--model", "mlp:8", "--run-dir", run_dir}).status ==
          0);
  const auto sum = json_of(run({"evaluate", run_dir, data, "--json"}));
  double loss = 0;
  int correct = 0;
  const auto lines = json_lines(run({"predict", run_dir, data, "--json", "--top", "3"}).out);
  REQUIRE(lines.size() == 15);
  for (const auto& line : lines) {
    const std::string label =
        std::filesystem::path(line["path"].get<std::string>()).parent_path().filename();
    correct += line["classes"][0]["class"] == label;
    for (const auto& entry : line["classes"]) {
      if (entry["class"] == label) loss -= std::log(entry["probability"].get<double>()) / 15;
    }
  }
  CHECK(sum["correct"] == correct);
  CHECK(sum["loss"].get<double>() == Approx(loss).epsilon(1e-5));
}

TEST_CASE("predict writes valid JSON for names that are not UTF-8") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string image = write_plain(scratch / "caf\xE9.png", 60).string();
  const auto lines = json_lines(run({"predict", model, image, "--json"}).out);
  REQUIRE(lines.size() == 1);
  CHECK(holds(lines[0]["path"], "caf\xEF\xBF\xBD.png"));
}

TEST_CASE("predict stops at a signal, with what it has printed so far") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  // Decoding one of these takes milliseconds, so that most are left when the first is printed.
  const std::string image = write_plain(scratch / "large.png", 60, 1500).string();
  std::vector<std::string> arguments{"predict", model, "--batch", "1", "--threads", "1"};
  arguments.resize(arguments.size() + 1000, image);
  const Outcome outcome = run(arguments, {.signal = SIGINT, .signal_at = "large.png\tdark"});
  CHECK(outcome.status == 130);
  CHECK(Outcome::lines(outcome.err).size() == 1);
  CHECK(holds(outcome.err, "stopped by a signal"));
  CHECK(!outcome.out.empty());
  CHECK(Outcome::lines(outcome.out).size() < 1000);
}

TEST_CASE("predict refuses bad requests in one line") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string image = write_plain(scratch / "x.png", 60).string();
  check_refused({"predict"}, 2, "needs MODEL");
  check_refused({"predict", model}, 2, "at least one PATH");
  check_refused({"predict", model, image, "--top", "0"}, 2, "--top");
  check_refused({"predict", model, image, "--topp", "1"}, 2, "did you mean 'top'?");
  check_refused({"predict", "none", image}, 1, "none: no such model file");
  check_refused({"predict", image, image}, 1, "x.png");
}

TEST_CASE("predict ends at devices and pipes, with a line and without reading gigabytes") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string pipe = (scratch / "pipe.png").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const Outcome outcome = run({"predict", model, "/dev/zero", pipe, "/dev/null"});
  CHECK(outcome.status == 1);
  CHECK(outcome.out.empty());
  CHECK(Outcome::lines(outcome.err).size() == 3);
  CHECK(holds(outcome.err, "/dev/zero: is a device, not a file"));
  CHECK(holds(outcome.err, pipe + ": the file is empty"));
  CHECK(outcome.peak_kib < 1024 * 1024);
}
