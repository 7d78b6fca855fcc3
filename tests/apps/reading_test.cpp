// How images are read belongs to the model: turned as EXIF says, put on a background. The bounds
// on what one may cost are the command's. All of it alike in train, evaluate and predict.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <array>
#include <cstddef>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

constexpr int kSide = 16;

/// A PNG of which the left half is dark and the right half light, and which its EXIF data have
/// turned by 90 degrees clockwise: seen upright, the upper half is dark.
fs::path write_turned(const fs::path& path) {
  std::array<std::uint8_t, kSide * kSide * 3> pixels{};
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = i / 3 % kSide < kSide / 2 ? 0 : 255;
  }
  std::vector<std::byte> file = encode_png({pixels.data(), kSide, kSide, 3});
  // eXIf: big-endian TIFF with one tag, 0x112 (orientation), SHORT, 6.
  constexpr std::array<unsigned char, 38> kExif{
      0,  0, 0, 26, 'e', 'X', 'I', 'f', 'M', 'M', 0, 42, 0, 0, 0, 8,    0,    1,    1,
      18, 0, 3, 0,  0,   0,   1,   0,   6,   0,   0, 0,  0, 0, 0, 0xD6, 0x67, 0x4B, 0x69};
  constexpr std::size_t kEnd = 12;
  const auto* const part = reinterpret_cast<const std::byte*>(kExif.data());
  file.insert(file.end() - kEnd, part, part + kExif.size());
  fs::create_directories(path.parent_path());
  write_file(path, file);
  return path;
}

/// A PNG of black pixels that are transparent throughout.
fs::path write_transparent(const fs::path& path) {
  const std::array<std::uint8_t, kSide * kSide * 4> pixels{};
  fs::create_directories(path.parent_path());
  write_file(path, encode_png({pixels.data(), kSide, kSide, 4}));
  return path;
}

/// p(above) = 1 / (1 + exp(-(10 m + 1))), where m is the mean of the upper half less that of the
/// lower one: "above" where the halves are alike.
fs::path save_model_of_halves(const fs::path& path, const nn::Preprocessing& preprocessing) {
  nn::ModelBuilder builder("halves", {kSide, kSide, 3});
  builder.flatten().dense(1).sigmoid().classes({"below", "above"}).preprocessing(preprocessing);
  const nn::Model model = builder.build();
  const std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::vector<float> values(static_cast<std::size_t>(nn::arena_elements(parameters)));
  constexpr int kHalf = kSide * kSide * 3 / 2;
  for (const nn::Parameter& p : parameters) {
    if (p.role == nn::Role::bias) values[static_cast<std::size_t>(p.offset)] = 1;
    if (p.role != nn::Role::kernel) continue;
    for (int i = 0; i < 2 * kHalf; ++i) {
      values[static_cast<std::size_t>(p.offset + i)] = (i < kHalf ? 10.0F : -10.0F) / kHalf;
    }
  }
  save_model(path, model, values);
  return path;
}

std::string class_of(const fs::path& model, const fs::path& image) {
  const Outcome outcome = run({"predict", model.string(), image.string()});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  const std::size_t at = outcome.out.find('\t') + 1;
  return outcome.out.substr(at, outcome.out.find('\t', at) - at);
}

}  // namespace

TEST_CASE("images are turned as EXIF says where the model was trained so, and else are not") {
  const Scratch scratch;
  const fs::path image = write_turned(scratch / "data/below/1.png");
  write_turned(scratch / "data/above/1.png");
  const fs::path turning =
      save_model_of_halves(scratch / "t.safetensors", {.exif_orientation = true});
  const fs::path older = save_model_of_halves(scratch / "o.safetensors", {});
  CHECK(class_of(turning, image) == "below");
  CHECK(class_of(older, image) == "above");  // the halves are left and right
  const auto confusion = [&](const fs::path& model) {
    const Outcome outcome =
        run({"evaluate", model.string(), (scratch / "data").string(), "--json", "--quiet"});
    INFO(outcome.err);
    return nlohmann::json::parse(outcome.out).at("confusion").dump();
  };
  CHECK(confusion(turning) == "[[1,0],[1,0]]");
  CHECK(confusion(older) == "[[0,1],[0,1]]");
}

TEST_CASE("training turns images and says so in the model, unless it is told not to") {
  const Scratch scratch;
  for (const char* name : {"above", "below"}) {
    for (const char* file : {"1.png", "2.png", "3.png", "4.png", "5.png"}) {
      write_turned(scratch / "data" / name / file);
    }
  }
  const auto preprocessing_of = [&](const Arguments& more) {
    const fs::path run_dir = scratch / "run";
    Arguments arguments{"--model", "mlp:4", "--epochs", "1", "--overwrite"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    (void)trained(scratch / "data", run_dir, arguments);
    return load_model(run_dir / "model.safetensors").model.preprocessing;
  };
  CHECK(preprocessing_of({}).exif_orientation);
  CHECK_FALSE(preprocessing_of({"--no-exif-orientation"}).exif_orientation);
  CHECK_FALSE(preprocessing_of({"--keras-compat"}).exif_orientation);
  CHECK(preprocessing_of({"--preprocessing", "tf"}).exif_orientation);
  CHECK_FALSE(preprocessing_of({}).background);
  CHECK(preprocessing_of({"--background", "white"}).background == Colour{255, 255, 255});
}

TEST_CASE("images with transparency are put on the model's background") {
  const Scratch scratch;
  const fs::path image = write_transparent(scratch / "clear.png");
  const auto light = [&](std::optional<Colour> background) {
    nn::Model model = load_model(save_brightness_model(scratch / "dropped.safetensors")).model;
    const std::vector<float> parameters = load_model(scratch / "dropped.safetensors").parameters;
    model.preprocessing.background = background;
    save_model(scratch / "model.safetensors", model, parameters);
    return class_of(scratch / "model.safetensors", image);
  };
  CHECK(light(std::nullopt) == "dark");
  CHECK(light(Colour{255, 255, 255}) == "light");
  CHECK(light(Colour{0, 0, 0}) == "dark");
}

TEST_CASE("a background that is no colour is refused before anything is read") {
  const Scratch scratch;
  const Outcome outcome = train("nowhere", scratch / "run", {"--background", "chartreuse-ish"});
  CHECK(outcome.status == 2);
  CHECK_THAT(outcome.err, Contains("train: --background: ") && Contains("chartreuse-ish"));
}

TEST_CASE("the option max-image-pixels bounds what train, evaluate, predict and inspect read") {
  const Scratch scratch;
  const std::string data = write_classes(scratch / "data", {"dark", "light"}, 5).string();
  const std::string image = (fs::path(data) / "dark/0.png").string();
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string told =
      "16x16 pixels are more than the 255 that an image may have; shrink it "
      "or raise --max-image-pixels";
  const std::string run_dir = (scratch / "run").string();
  const std::vector<Arguments> commands{{"train", data, "--model", "mlp:4", "--epochs", "1",
                                         "--run-dir", run_dir, "--overwrite", "--quiet"},
                                        {"evaluate", model, data, "--quiet"},
                                        {"predict", model, image},
                                        {"inspect", "data", data, "--full", "--quiet"}};
  for (Arguments command : commands) {
    INFO(command.front());
    command.insert(command.end(), {"--max-image-pixels", "255"});
    const Outcome refused = run(command);
    CHECK(refused.status == 1);
    CHECK_THAT(refused.err + refused.out, Contains(told));
    command.back() = "256";
    CHECK(run(command).status == 0);
    command.back() = "0";
    const Outcome wrong = run(command);
    CHECK(wrong.status == 2);
    CHECK_THAT(wrong.err, Contains("--max-image-pixels must be 1 or more, not 0"));
  }
}

TEST_CASE("an image that no decoder could hold is read however many decoders there are") {
  const Scratch scratch;
  constexpr int kHeight = 2000, kWidth = 3000;  // 18 MB, and twice that while a PNG is unpacked
  const std::vector<std::uint8_t> pixels(std::size_t{kHeight} * kWidth * 3, 200);
  write_file(scratch / "large.png", encode_png({pixels.data(), kHeight, kWidth, 3}));
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const Arguments command{"predict",
                          model,
                          (scratch / "large.png").string(),
                          "--memory-budget",
                          "512MiB",
                          "--threads",
                          "64",
                          "--compute-threads",
                          "1"};
  const Outcome outcome = run(command);
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("\tlight\t0.9450\n"));
}
