// The option --width.

#include "apps/known_model.h"
#include "apps/train_run.h"

using namespace millrace;
using namespace millrace::test;

TEST_CASE("option --width is the width of a network by name, as after its name") {
  const Scratch scratch;
  const std::string data = write_classes(scratch / "photos", {"a", "b"}, 2, 40).string();
  const Arguments quick = {"train", data, "--size", "40", "--epochs", "1", "--seed", "2"};
  const auto plan = [&](const Arguments& model) {
    const std::string folder = (scratch / "run").string();
    const Outcome outcome = run(
        with(with(quick, model), {"--run-dir", folder, "--overwrite", "--steps-per-epoch", "1"}));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK(holds(text_of(scratch / "run/config.ini"), "model = mobilenet_v2:0.35\n"));
    return read_file(scratch / "run/model.safetensors");
  };
  CHECK(plan({"--model", "mobilenet_v2", "--width", "0.35"}) ==
        plan({"--model", "mobilenet_v2:0.35"}));
  const std::string folder = (scratch / "none").string();
  check_refused(with(quick, {"--model", "resnet18", "--width", "0.5", "--run-dir", folder}), 2,
                "resnet18 has no options, not '0.5'");
  check_refused(with(quick, {"--model", "mobilenet_v2", "--width", "0", "--run-dir", folder}), 2,
                "--width");
  check_refused(with(quick, {"--width", "0.5", "--run-dir", folder}), 2,
                "--width has no effect without --model NAME of a network by name");
}
