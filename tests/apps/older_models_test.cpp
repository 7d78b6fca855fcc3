// Models that an older program left on disk evaluate, predict and are described as they were then
// (older_runs.h).

#include "apps/known_model.h"
#include "apps/older_runs.h"

#include <cmath>
#include <fstream>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

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
