// Weights of every origin as a user gives them: runs, models of one's own, wrapped ones, files that
// are none.

#include "apps/known_model.h"
#include "apps/train_run.h"
#include "apps/weights_of_runs.h"
#include "training/vgg16_rule.h"

#include <millrace/nn/model_json.h>
#include <millrace/nn/preprocessing.h>

using namespace millrace;
using namespace millrace::test;

namespace fs = std::filesystem;

TEST_CASE("a run directory as --weights or --model gives the model with its weights, and is told") {
  const Scratch scratch;
  const fs::path first = first_run(scratch);
  const fs::path run_dir = first.parent_path();
  const std::string data = (scratch / "three").string();
  const Arguments slow{"--epochs", "1", "--learning-rate", "1e-12"};
  const auto begun = [&](const Arguments& from) {
    Arguments more = slow;
    more.insert(more.end(), from.begin(), from.end());
    more.emplace_back("--overwrite");
    return trained(data, scratch / "next", more);
  };
  for (const Arguments& from :
       {Arguments{"--weights", run_dir.string()}, Arguments{"--model", run_dir.string()},
        Arguments{"--weights", first.string()}, Arguments{"--model", run_dir.string() + "/"},
        Arguments{"--model", first.string(), "--weights", run_dir.string()}}) {
    INFO(from[0] << ' ' << from[1]);
    const Outcome outcome = begun(from);
    CHECK(holds(outcome.out, "(Millrace): 8 of 8 tensors of the model\n"));
    CHECK(holds(outcome.out, "weights     " + run_dir.string()));
    const auto now = tensor(scratch / "next/model.safetensors", "conv1.weight");
    const auto then = tensor(first, "conv1.weight");
    REQUIRE(now.size() == then.size());
    for (std::size_t i = 0; i < now.size(); ++i) CHECK(now[i] == Approx(then[i]).margin(1e-6));
  }
  // A run that began so is repeated from its own recipe.
  begun({"--model", run_dir.string()});
  const Outcome again = run({"train", "--recipe", (scratch / "next/config.ini").string(),
                             "--run-dir", (scratch / "again").string()});
  INFO(again.err);
  REQUIRE(again.status == 0);
  CHECK(tensor(scratch / "again/model.safetensors", "dense1.weight") ==
        tensor(scratch / "next/model.safetensors", "dense1.weight"));
  // A frozen layer needs weights, which a run has.
  begun({"--model", run_dir.string(), "--freeze", "conv"});
}

TEST_CASE("a model file as --model begins with new weights and says so") {
  const Scratch scratch;
  const fs::path first = first_run(scratch);
  const Outcome outcome =
      trained(scratch / "three", scratch / "next",
              {"--model", first.string(), "--epochs", "1", "--learning-rate", "1e-12"});
  CHECK(holds(outcome.out, concat("weights     new and random, not those of ", first.string(),
                                  "; --weights ", first.string(), " begins with them\n")));
  CHECK(tensor(scratch / "next/model.safetensors", "conv1.weight") !=
        tensor(first, "conv1.weight"));
  // Resumed, it goes on with its own.
  const Outcome resumed = run({"train", "--resume", (scratch / "next").string(), "--epochs", "2"});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK_FALSE(holds(resumed.out, "new and random"));
}

TEST_CASE("folders without a model and files that are no weights are refused in one line") {
  const Scratch scratch;
  const std::string data = write_classes(scratch / "d", {"a", "b"}, 3, 16).string();
  const auto refused = [&](Arguments more, int status, const std::string& part) {
    Arguments arguments{"train", data, "--run-dir", (scratch / "run").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    check_refused(arguments, status, part);
  };
  fs::create_directories(scratch / "empty");
  const std::string empty = (scratch / "empty").string();
  refused({"--model", empty}, 1, "holds no model.safetensors; give a run directory");
  refused({"--weights", empty}, 1, "holds no model.safetensors; give a run directory");
  const std::string pointer =
      scratch.write("lfs.safetensors", "version https://git-lfs.github.com/spec/v1\nsize 9\n")
          .string();
  const std::string page = scratch.write("page.safetensors", "<!doctype html><p>Sign in").string();
  for (const std::string option : {"--model", "--weights"}) {
    refused({option, pointer}, 1, "lfs.safetensors: a Git LFS pointer");
    refused({option, page}, 1, "page.safetensors: an HTML page");
  }
  check_refused({"evaluate", pointer, data}, 1, "lfs.safetensors: a Git LFS pointer");
  check_refused({"predict", page, data}, 1, "page.safetensors: an HTML page");
  check_refused({"evaluate", kKeras + "keras2.h5", data}, 1, "an HDF5 file, as Keras writes");
  refused({"--ignore-layers", "norm"}, 2, "no effect without --weights FILE");
  refused({"--flatten-order", "channels_last"}, 2, "no effect without --weights FILE");
  refused({"--weights", page, "--flatten-order", "hwc"}, 2,
          "must be channels_first or channels_last, not 'hwc'");
}

TEST_CASE("weights of a model of one's own tell no input, and a JSON file that does is believed") {
  const Scratch scratch;
  const std::string weights = kKeras + "torch.safetensors";
  const fs::path data = write_classes(scratch / "d", {"a", "b", "c"}, 3, 8);
  const auto json = [&](const char* name, const std::string& preprocessing) {
    return scratch
        .write(name, R"({"name":"small","input":[8,8,3],)" + preprocessing + R"("layers":[
          {"name":"conv1","kind":"conv2d","filters":4,"rows":3,"columns":3,"padding":"same"},
          {"name":"r","kind":"relu"},{"name":"batch_norm1","kind":"batch_norm","epsilon":0.001},
          {"name":"p","kind":"max_pool2d","size":2,"stride":2},
          {"name":"conv2","kind":"conv2d","filters":5,"rows":3,"columns":3},
          {"name":"r1","kind":"relu"},{"name":"f","kind":"flatten"},
          {"name":"dense1","kind":"dense","units":6},{"name":"r2","kind":"relu"},{"name":"dense2","kind":"dense","units":3}]})")
        .string();
  };
  const std::string silent = json("silent.json", "");
  const std::string telling = json("telling.json", R"("preprocessing":{"scale":0.5},)");
  const auto input_of = [&](const Arguments& more) {
    Arguments arguments{"--weights", weights, "--epochs", "1", "--overwrite"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = trained(data, scratch / "run", arguments);
    CHECK(holds(outcome.out, "the file does not say with what input they were trained"));
    return load_model(scratch / "run/model.safetensors").model.preprocessing;
  };
  CHECK(input_of({"--model", silent}) == nn::Preprocessing{.exif_orientation = true});
  CHECK(input_of({"--model", telling}).scale == 0.5F);
  CHECK(input_of({"--model", telling, "--scale", "0.25"}).scale == 0.25F);
  CHECK(input_of({"--model", silent, "--preprocessing", "torch"}).mean.size() == 3);

  const std::string out = (scratch / "out.safetensors").string();
  const auto converted = [&](const std::string& model) {
    const Outcome outcome = run(
        {"convert", "weights", weights, out, "--model", model, "--names", "a,b,c", "--overwrite"});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return outcome.out;
  };
  CHECK(holds(converted(silent), "(the file does not say"));
  CHECK(load_model(out).model.classes == std::vector<std::string>{"a", "b", "c"});
  CHECK_FALSE(holds(converted(telling), "(the file does not say"));
  CHECK(load_model(out).model.preprocessing.scale == 0.5F);
  CHECK(run({"evaluate", out, data.string()}).status == 0);
}

TEST_CASE("what a JSON file says of the input wins over what published weights were trained with") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "photos", {"cats", "dogs"}, 3, 32);
  const fs::path weights = write_vgg16(scratch / "vgg.safetensors");
  nn::Model model = nn::vgg16({32, 32, 3}, 0);
  model.preprocessing.scale = 0.5F;
  scratch.write("vgg.json", nn::to_json(model));
  const Outcome outcome =
      trained(data, scratch / "run",
              {"--model", (scratch / "vgg.json").string(), "--weights", weights.string(), "--head",
               "gap,dense", "--freeze", "features", "--limit-batches", "1", "--epochs", "1"});
  CHECK(holds(outcome.out,
              "by names and shapes torchvision's VGG16; they were trained with another input"));
  CHECK(load_model(scratch / "run/model.safetensors").model.preprocessing.scale == 0.5F);
}

TEST_CASE("layers of a Keras file that a model lacks are ignored when they are named") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "d", {"a", "b", "c"}, 3, 6);
  const nn::Model model = nn::ModelBuilder("known", {6, 6, 3})
                              .conv(4, 3, nn::Padding::same)
                              .relu()
                              .flatten()
                              .dense(5)
                              .dense(3)
                              .softmax()
                              .build();
  const std::string json = scratch.write("known.json", nn::to_json(model)).string();
  const std::string keras = kKeras + "foreign.h5";
  const std::string names = "normalization,p_re_lu,conv2d_transpose,leaky_re_lu";
  check_refused({"train", data.string(), "--model", json, "--weights", keras, "--run-dir",
                 (scratch / "run").string()},
                1, "--ignore-layers " + names);
  check_refused({"convert", "weights", keras, (scratch / "o").string(), "--model", json}, 1,
                "--ignore-layers " + names);
  trained(data, scratch / "run",
          {"--model", json, "--weights", keras, "--ignore-layers", names, "--epochs", "1"});
  CHECK(run({"convert", "weights", keras, (scratch / "o").string(), "--model", json,
             "--ignore-layers", names})
            .status == 0);
}

TEST_CASE("flattened inputs of a file without metadata are as --flatten-order says") {
  const Scratch scratch;
  const fs::path first = first_run(scratch);
  const SafetensorsFile file(first);
  std::vector<std::vector<float>> values;
  std::vector<NamedTensor> tensors;
  for (const auto& one : file.tensors()) {
    values.push_back(tensor(first, one.name));
    tensors.push_back({"module." + one.name, one.shape, values.back()});
  }
  write_safetensors(scratch / "plain.safetensors", tensors);
  const std::string plain = (scratch / "plain.safetensors").string();
  const auto converted = [&](const Arguments& more) {
    Arguments arguments{
        "convert", "weights",      plain,        (scratch / "o.safetensors").string(),
        "--model", first.string(), "--overwrite"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Outcome outcome = run(arguments);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK(holds(outcome.out, "; read without the prefix module."));
    CHECK(holds(outcome.out, "taken as PyTorch flattens images") == more.empty());
    return load_model(scratch / "o.safetensors").parameters;
  };
  CHECK(converted({"--flatten-order", "channels_last"}) == load_model(first).parameters);
  CHECK(converted({}) != load_model(first).parameters);
}

TEST_CASE("a run is not replaced by one that begins with its weights") {
  const Scratch scratch;
  const fs::path file = first_run(scratch), run_dir = file.parent_path();
  const std::string data = (scratch / "three").string();
  for (const Arguments& from :
       {Arguments{"--weights", run_dir.string()}, Arguments{"--weights", file.string()},
        Arguments{"--model", run_dir.string()}}) {
    Arguments arguments{
        "train", data, "--epochs", "1", "--overwrite", "--run-dir", run_dir.string() + "/."};
    arguments.insert(arguments.end(), from.begin(), from.end());
    check_refused(arguments, 2, "with which this run begins");
    CHECK(fs::exists(file));
    CHECK(fs::exists(run_dir / "config.ini"));
  }
}

TEST_CASE("weights that are none are called so where no model is said either") {
  const Scratch scratch;
  const std::string data = write_classes(scratch / "data", {"a", "b"}, 4).string();
  for (const char* name : {"lfs.h5", "lfs.safetensors"}) {
    const std::string pointer =
        scratch.write(name, "version https://git-lfs.github.com/spec/v1\nsize 9\n").string();
    check_refused({"train", data, "--weights", pointer}, 1, concat(name, ": a Git LFS pointer"));
  }
}
