// Files that a run was begun with, and that are gone when it is gone on with.

#include "apps/train_run.h"

#include <millrace/nn/model.h>
#include <millrace/nn/model_json.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

nn::ModelBuilder small_net() {
  return nn::ModelBuilder("net", {16, 16, 3}).conv(4).relu().max_pool().flatten();
}

}  // namespace

TEST_CASE("a run goes on without the files of its model and its weights") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 10);
  const fs::path files = scratch / "files";
  const fs::path net =
      scratch.write("files/net.json", nn::to_json(small_net().dense(3).softmax().build()));
  const fs::path trained_model = files / "trained";
  const Arguments small{"--batch", "4", "--learning-rate", "0.01"};
  trained(data, trained_model, with(small, {"--model", net.string(), "--epochs", "1"}));
  const std::string weights = (trained_model / "model.safetensors").string();
  const fs::path whitened = files / "whitened";
  trained(data, whitened, with(small, {"--model", net.string(), "--epochs", "1", "--zca"}));
  const std::vector<Arguments> all{
      {"--model", net.string(), "--zca"},
      {"--model", net.string(), "--featurewise-center", "--scale", "0.01"},
      {"--model", weights, "--class-mode", "categorical"},
      {"--weights", weights, "--head", "gap,dense", "--freeze", "conv", "--unfreeze-at", "3"},
      {"--model", whitened.string()},
      {"--model", trained_model.string()}};
  const Arguments options = with(small, all[GENERATE(0U, 1U, 2U, 3U, 4U, 5U)]);
  CAPTURE(options);
  trained(data, scratch / "whole", with(options, {"--epochs", "4"}));
  trained(data, scratch / "run", with(options, {"--epochs", "2"}));
  fs::remove_all(files);
  const Outcome said = run({"train", "--resume", (scratch / "run").string(), "--filter", "box"});
  CHECK(said.status == 2);
  CHECK_THAT(said.err, Contains("leave out --model, --scale and other options of the model"));
  for (const std::string epochs : {"3", "4"}) {
    const Outcome outcome =
        run({"train", "--resume", (scratch / "run").string(), "--epochs", epochs});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
  }
  CHECK(read_file(scratch / "run/model.safetensors") ==
        read_file(scratch / "whole/model.safetensors"));
  CHECK(figures(scratch / "run") == figures(scratch / "whole"));
}

TEST_CASE("labels keep their meaning in a run that goes on without the model that gave it") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path net = scratch.write(
      "net.json",
      nn::to_json(
          small_net().dense(2).softmax().classes({"light", "dark"}).build()));  // not by name
  const Arguments options{"--model", net.string(), "--batch", "4"};
  trained(data, scratch / "whole", with(options, {"--epochs", "2"}));
  trained(data, scratch / "run", with(options, {"--epochs", "1"}));
  fs::remove(net);
  const Outcome outcome = run({"train", "--resume", (scratch / "run").string(), "--epochs", "2"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(read_file(scratch / "run/model.safetensors") ==
        read_file(scratch / "whole/model.safetensors"));
}

TEST_CASE("a model or data that are others are refused without the files of the run too") {
  const Scratch scratch;
  const fs::path table =
      scratch.write("t.csv", "a,b,c\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n2,2,0\n9,9,1\n");
  const Arguments options{"--model", "mlp:4", "--epochs", "1", "--validation-share", "0"};
  trained(table, scratch / "run", options);
  const auto refused = [&](const std::string& text, const std::string& why) {
    scratch.write("t.csv", text);
    const Outcome outcome = run({"train", "--resume", (scratch / "run").string(), "--epochs", "2"});
    CHECK(outcome.status == 1);
    CHECK(Outcome::lines(outcome.err).size() == 1);
    CHECK_THAT(outcome.err, Contains(why));
  };
  refused("a,x,c\n1,2,0\n3,4,1\n5,6,0\n7,8,1\n2,2,0\n9,9,1\n",
          "columns of the table are not those");
  refused("a,c\n1,0\n3,1\n5,0\n7,1\n2,0\n9,1\n", "the model of the run takes");
}
