#include "apps/known_model.h"

#include <millrace/core/bytes.h>

#include <sstream>

using namespace millrace;
using namespace millrace::test;

namespace {

/// The line that begins with `start`, its runs of blanks made one.
std::string line_of(const std::string& text, const std::string& start) {
  for (const std::string& line : Outcome::lines(text)) {
    std::string words;
    std::istringstream in(line);
    for (std::string word; in >> word;) words += (words.empty() ? "" : " ") + word;
    if (words.rfind(start, 0) == 0) return words;
  }
  return "";
}

}  // namespace

TEST_CASE("inspect devices tells the processor, and why there is no GPU") {
  const Outcome outcome = run({"inspect", "devices"});
  CHECK(outcome.status == 0);
  CHECK(line_of(outcome.out, "processor").size() > 10);
  CHECK(holds(line_of(outcome.out, "cores"), "may be used"));
  CHECK(holds(line_of(outcome.out, "memory"), "iB may be used"));
  CHECK(holds(line_of(outcome.out, "cpu:"), "oneDNN"));
  CHECK(!line_of(outcome.out, "gpu:").empty());
}

TEST_CASE("inspect data counts classes and tells sizes and formats") {
  const Scratch scratch;
  for (const char* name : {"d/train/a/1.png", "d/train/a/2.png", "d/train/a/3.png"}) {
    write_plain(scratch / name, 10, 20);
  }
  write_plain(scratch / "d/train/b/1.png", 10, 8);
  write_plain(scratch / "d/val/a/1.png", 10, 30);
  write_plain(scratch / "d/val/b/1.png", 10, 40);
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"inspect", "data", (scratch / "d").string()},
        std::vector<std::string>{"inspect", (scratch / "d").string(), "--full"}}) {
    const Outcome outcome = run(words);
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(holds(outcome.out, "4 images in train, 2 images in val; 2 classes"));
    CHECK(line_of(outcome.out, "a") == "a 3 1 75.0 % ########################");
    CHECK(line_of(outcome.out, "b") == "b 1 1 25.0 % ########");
    CHECK(line_of(outcome.out, "height") == "height 8 20 40");
    CHECK(line_of(outcome.out, "width") == "width 8 20 40");
    CHECK(line_of(outcome.out, "formats") == "formats PNG 6");
    CHECK(line_of(outcome.out, "channels") == "channels RGB 6");
  }
}

TEST_CASE("inspect data lists images whose header, or with --full whose content, is damaged") {
  const Scratch scratch;
  write_plain(scratch / "d/a/1.png", 10);
  write_plain(scratch / "d/b/1.png", 10);
  std::vector<std::byte> bytes = read_file(scratch / "d/a/1.png");
  bytes.resize(bytes.size() - 20);
  scratch.write("d/a/cut.png", bytes);
  const std::string data = (scratch / "d").string();
  CHECK(run({"inspect", data}).status == 0);
  const Outcome full = run({"inspect", data, "--full"});
  CHECK(full.status == 1);
  CHECK(holds(full.out, "a/cut.png: "));
  CHECK(Outcome::lines(full.err).size() == 1);
  CHECK(holds(full.err, "1 of 3 images cannot be read"));

  scratch.write("d/b/text.png", "no image");
  const Outcome headers = run({"inspect", data});
  CHECK(headers.status == 1);
  CHECK(holds(headers.out, "b/text.png: "));
  CHECK(holds(headers.err, "1 of 4 images"));
}

TEST_CASE("inspect data tells tables by their shape") {
  const Scratch scratch;
  const std::string table = scratch.write("t.csv", "1,2,3,0\n4,5,6,1\n7,8,9,1\n").string();
  const Outcome outcome = run({"inspect", table});
  CHECK(outcome.status == 0);
  CHECK(holds(outcome.out, "3 rows; 2 classes"));
  CHECK(holds(outcome.out, "all samples are rows of 3 numbers, in memory"));
}

TEST_CASE("inspect model tells layers, memory, preprocessing and classes of a trained model") {
  const Scratch scratch;
  const std::string file = save_brightness_model(scratch / "model.safetensors").string();
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"inspect", "model", file},
        std::vector<std::string>{"inspect", file},
        std::vector<std::string>{"inspect", scratch.path().string()}}) {
    const Outcome outcome = run(words);
    CHECK(outcome.status == 0);
    CHECK(outcome.err.empty());
    CHECK(line_of(outcome.out, "dense1") == "dense1 dense 1 4 0.0");
    CHECK(!line_of(outcome.out, "memory at batch 32").empty());
    CHECK(holds(line_of(outcome.out, "images resized"), "16x16 RGB, filter bilinear"));
    CHECK(line_of(outcome.out, "2 classes") == "2 classes: dark, light");
  }
}

TEST_CASE("inspect model describes named models, and memory that grows with the batch") {
  const std::vector<std::string> words{"inspect",   "mlp:500,100", "--input", "28x28x1",
                                       "--outputs", "10",          "--batch"};
  const auto activations = [&](const char* batch) {
    std::vector<std::string> with_batch = words;
    with_batch.emplace_back(batch);
    const Outcome outcome = run(with_batch);
    CHECK(outcome.status == 0);
    // 784 * 500 + 500 + 500 * 100 + 100 + 100 * 10 + 10
    CHECK(holds(outcome.out, "443,610 parameters"));
    std::istringstream in(line_of(outcome.out, "activations"));
    std::string title, count, unit;
    in >> title >> count >> unit;
    return parse_bytes(count + unit);
  };
  CHECK(activations("256") > activations("16"));
}

TEST_CASE("inspect refuses bad requests in one line") {
  const Scratch scratch;
  check_refused({"inspect"}, 2, "nothing to inspect");
  check_refused({"inspect", "data"}, 2, "needs a path");
  check_refused({"inspect", "model"}, 2, "needs a path");
  check_refused({"inspect", "dta", "x"}, 2, "unknown subject 'dta'");
  check_refused({"inspect", "devices", "x"}, 2, "too many arguments");
  check_refused({"inspect", "cnn"}, 2, "--input");
  check_refused({"inspect", "cnn", "--input", "150x", "--outputs", "2"}, 2, "--input");
  check_refused({"inspect", "model", "cnn", "--batch", "0"}, 2, "--batch");
  check_refused({"inspect", "none"}, 1, "none: ");
  check_refused({"inspect", "model", "none"}, 1, "none: no such model file");
  const std::string json = scratch.write("m.json", "{\"layers\": 3}").string();
  check_refused({"inspect", json}, 1, "m.json: ");
  check_refused({"inspect", "data", scratch.path().string()}, 1, "no class folders");
}

TEST_CASE("inspect model knows the networks of the zoo by name, and their parameters") {
  const auto parameters = [](const char* name) {
    const Outcome outcome =
        run({"inspect", "model", name, "--input", "64x64x3", "--outputs", "1000"});
    INFO(outcome.err);
    CHECK(outcome.status == 0);
    return outcome.out;
  };
  CHECK(holds(parameters("resnet18"), "layer1.0.conv1"));
  CHECK(holds(parameters("mobilenet_v2:0.5"), "features.1.conv.0.0"));
  CHECK(holds(parameters("squeezenet1_1:keras"), "features.3.expand3x3"));
  check_refused({"inspect", "model", "mobilenet_v2:x", "--input", "64x64x3", "--outputs", "9"}, 2,
                "after the name may stand keras, no-dropout, a width such as 0.5, not 'x'");
  check_refused({"inspect", "model", "resnet18", "--outputs", "9"}, 2, "needs --input HxWxC");
}
