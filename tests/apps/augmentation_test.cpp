// The options of augmentation as a user gives them: what they do to a run, and what is refused.

#include "apps/train_failure.h"
#include "apps/train_run.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

const Arguments kEverything = {"--rotation-range",
                               "40",
                               "--width-shift-range",
                               "0.2",
                               "--height-shift-range",
                               "0,1,3",
                               "--shear-range",
                               "10",
                               "--zoom-range",
                               "0.8,1.3",
                               "--channel-shift-range",
                               "30",
                               "--brightness-range",
                               "0.7,1.3",
                               "--horizontal-flip",
                               "--vertical-flip",
                               "--fill-mode",
                               "constant",
                               "--cval",
                               "17.5",
                               "--crop-padding",
                               "2",
                               "--erase-probability",
                               "0.5",
                               "--erase-area",
                               "0.1,0.4"};

Arguments short_run(const Arguments& more) {
  return with({"--model", "mlp:8", "--epochs", "2", "--batch", "4"}, more);
}

}  // namespace

TEST_CASE("every option of augmentation changes what is learned") {
  const Scratch scratch;
  // 20 pixels wide: the rows of these images differ.
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10, 20);
  trained(data, scratch / "plain", short_run({}));
  const auto plain = read_file(scratch / "plain/model.safetensors");
  const std::vector<Arguments> options = {{"--rotation-range", "40"},
                                          {"--width-shift-range", "0.2"},
                                          {"--height-shift-range", "2"},
                                          {"--shear-range", "20"},
                                          {"--zoom-range", "0.2"},
                                          {"--channel-shift-range", "10"},
                                          {"--brightness-range", "0.5,1.5"},
                                          {"--horizontal-flip"},
                                          {"--vertical-flip"},
                                          {"--erase-probability", "0.5"}};
  for (const Arguments& option : options) {
    INFO(option.front());
    trained(data, scratch / "run", short_run(with(option, {"--overwrite"})));
    const bool differs = read_file(scratch / "run/model.safetensors") != plain;
    CHECK(differs);
  }
}

TEST_CASE("options of augmentation that change nothing give the same model to the bit") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "plain", short_run({"--no-exif-orientation"}));  // as Keras reads
  trained(data, scratch / "run",
          short_run({"--rotation-range", "0", "--width-shift-range", "0", "--zoom-range", "1,1",
                     "--keras-compat"}));
  CHECK(read_file(scratch / "run/model.safetensors") ==
        read_file(scratch / "plain/model.safetensors"));
}

TEST_CASE("augmented runs repeat to the bit, from config.ini and with any number of threads") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 20);
  const fs::path first = scratch / "first";
  trained(data, first, short_run(kEverything));
  const Outcome again = run({"train", "--recipe", (first / "config.ini").string(), "--run-dir",
                             (scratch / "again").string(), "--threads", "1"});
  INFO(again.err);
  REQUIRE(again.status == 0);
  CHECK(read_file(first / "model.safetensors") == read_file(scratch / "again/model.safetensors"));
}

TEST_CASE("the words --flip and --horizontal-flip mean the same") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "short", short_run({"--flip"}));
  trained(data, scratch / "long", short_run({"--horizontal-flip"}));
  CHECK(read_file(scratch / "short/model.safetensors") ==
        read_file(scratch / "long/model.safetensors"));
}

TEST_CASE("the memory of resampling is in the plan, and only where something is resampled") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 5);
  const auto plan = [&](const Arguments& more) {
    return run(with({"train", data.string(), "--print-plan"}, more)).out;
  };
  CHECK_THAT(plan({"--rotation-range", "10"}), Contains("augment scratch"));
  CHECK_THAT(plan({"--flip"}), !Contains("augment scratch"));
}

TEST_CASE("options of augmentation out of range are refused in one line") {
  const auto [option, value, message] = GENERATE(table<std::string, std::string, std::string>(
      {{"--rotation-range", "-5", "train: --rotation-range must be in 0 to 360 degrees, not -5"},
       {"--width-shift-range", "-0.2", "train: --width-shift-range must be 0 or more"},
       {"--width-shift-range", "wide", "train: --width-shift-range must be a share of the size"},
       {"--height-shift-range", "1,,2",
        "--height-shift-range must be a share of the size (0.2), "
        "pixels (5) or a list of pixels (0,4,8), not '1,,2'"},
       {"--shear-range", "400", "train: --shear-range must be in 0 to 360 degrees, not 400"},
       {"--zoom-range", "1.2,0.8", "train: --zoom-range must be LOW,HIGH with LOW at most HIGH"},
       {"--zoom-range", "0,2", "train: --zoom-range must be above 0, not 0"},
       {"--zoom-range", "1", "train: --zoom-range must be in 0 to 1 (not 1 itself)"},
       {"--zoom-range", "1,2,3", "train: --zoom-range must be Z, meaning 1-Z to 1+Z, or LOW,HIGH"},
       {"--channel-shift-range", "-1", "train: --channel-shift-range must be in 0 to 255, not -1"},
       {"--brightness-range", "-0.5,1", "train: --brightness-range must be 0 or more, not -0.5"},
       {"--brightness-range", "2", "train: --brightness-range must be LOW,HIGH"},
       {"--fill-mode", "mirror",
        "train: --fill-mode: 'mirror' is not a fill mode; choose one of nearest, constant, "
        "reflect, wrap"},
       {"--cval", "20", "train: --cval has no effect without --fill-mode constant"},
       {"--erase-probability", "2", "train: --erase-probability must be in 0 to 1, not 2"},
       {"--erase-area", "0.1,0.2",
        "train: --erase-area has no effect without --erase-probability above 0"},
       {"--interpolation-order", "0",
        "train: --interpolation-order has no effect without a rotation, shift, shear or zoom"}}));
  const fs::path folder = scratch("augmentation");
  const Outcome outcome = train(folder, {option + "=" + value});
  INFO(outcome.err);
  CHECK(outcome.status == 2);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains(message));
}

TEST_CASE("augmentation of a table is refused, not passed over") {
  const fs::path folder = scratch("augmented_table");
  write_text(folder / "data" / "train.csv", "0.1,0\n0.9,1\n0.2,0\n0.8,1\n");
  const Outcome outcome = train(folder, {"--flip"});
  CHECK(outcome.status == 2);
  check_one_line(outcome);
  CHECK_THAT(outcome.err, Contains("rows of numbers"));
  CHECK_FALSE(fs::exists(folder / "run"));
}
