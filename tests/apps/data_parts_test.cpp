// Parts of a data set are the same to `train`, `evaluate` and `inspect`.

#include "apps/known_model.h"
#include "apps/train_run.h"
#include "io/idx_files.h"

#include <nlohmann/json.hpp>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

const Arguments kQuick = {"--model", "mlp:4", "--epochs", "1", "--overwrite"};

Arguments with(Arguments more) {
  more.insert(more.begin(), kQuick.begin(), kQuick.end());
  return more;
}

/// A data set with as many images of each class in a part as are said.
fs::path write_parts(const fs::path& root, const std::vector<std::pair<std::string, int>>& parts) {
  for (const auto& [name, each] : parts) write_classes(root / name, {"dark", "light"}, each);
  return root;
}

}  // namespace

TEST_CASE("training validates on the part that evaluate takes, unless another is named") {
  const Scratch scratch;
  const fs::path data = write_parts(scratch / "data", {{"Training", 6}, {"dev", 3}, {"TEST", 2}});
  const fs::path run_dir = scratch / "run";
  const auto evaluated = [&](const fs::path& set, const Arguments& more) {
    Arguments arguments = {"evaluate", run_dir.string(), set.string(), "--json"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto result = json_of(run(arguments));
    return concat(result["samples"].get<int>(), ' ', result["measured"]["part"].get<std::string>());
  };
  CHECK_THAT(trained(data, run_dir, kQuick).out,
             Contains("data        " + data.string() + ": 12 images in 2 classes") &&
                 Contains("validation  6 images of the validation part of DATA"));
  CHECK(evaluated(data, {}) == "6 validation");
  for (const char* word : {"val", "validation", "Dev"}) {
    CHECK(evaluated(data, {"--part", word}) == "6 validation");
  }
  CHECK(evaluated(data, {"--part", "test"}) == "4 test");
  CHECK(evaluated(data, {"--part", "train"}) == "12 train");
  CHECK_THAT(trained(data, run_dir, with({"--part", "test"})).out,
             Contains("validation  4 images of the test part of DATA"));
  CHECK_THAT(text_of(run_dir / "config.ini"), Contains("part = test"));

  // Of another data set too.
  const fs::path other = write_parts(scratch / "other", {{"train", 5}, {"test", 1}});
  const std::string name = other.string();
  CHECK_THAT(trained(data, run_dir, with({"--validation", name})).out,
             Contains("validation  2 images of the test part of " + name));
  CHECK(evaluated(other, {}) == "2 test");
  CHECK_THAT(trained(data, run_dir, with({"--validation", name, "--part", "train"})).out,
             Contains("validation  10 images of the train part of " + name));
  const fs::path whole = write_classes(scratch / "whole", {"dark", "light"}, 2);
  CHECK_THAT(trained(data, run_dir, with({"--validation", whole.string()})).out,
             Contains("validation  4 images of " + whole.string() + '\n'));
  CHECK(evaluated(whole, {}) == "4 all");
}

TEST_CASE("a part that is not there or cannot be meant is refused") {
  const Scratch scratch;
  const std::string data = write_parts(scratch / "data", {{"train", 3}, {"test", 1}}).string();
  const std::string run_dir = (scratch / "run").string();
  check_refused({"train", data, "--run-dir", run_dir, "--part", "val"}, 1,
                "has no validation part");
  check_refused({"train", data, "--run-dir", run_dir, "--part", "train"}, 2,
                "would validate on what is trained on");
  check_refused({"train", data, "--run-dir", run_dir, "--part", "all"}, 2, "--part must be");
  check_refused({"train", data + "/train", "--run-dir", run_dir, "--part", "test"}, 1,
                "has no test part");
  CHECK_FALSE(fs::exists(run_dir));
}

TEST_CASE("folders beside a class called train are classes too") {
  const Scratch scratch;
  for (const char* name : {"car", "plane", "train/steam", "train/electric"}) {
    write_image(scratch / "data" / name / "1.png", 50, 0);
  }
  const Outcome outcome = run({"inspect", "data", (scratch / "data").string()});
  CHECK_THAT(outcome.out, Contains("4 images; 3 classes") && Contains("train        2") &&
                              Contains("taken for a class"));
}

TEST_CASE("folders that are called like parts, but none to train on, are classes with a note") {
  const Scratch scratch;
  write_classes(scratch / "data/val", {"a", "b"}, 1);
  write_classes(scratch / "data/test", {"a", "b"}, 1);
  CHECK_THAT(run({"inspect", "data", (scratch / "data").string()}).out,
             Contains("test and val are taken for classes, since none of them is called train"));
  write_classes(scratch / "parts/Training", {"a", "b"}, 2);
  write_classes(scratch / "parts/Testing", {"a", "b"}, 1);
  CHECK_THAT(run({"inspect", "data", (scratch / "parts").string()}).out,
             Contains("4 images in Training, 2 images in Testing; 2 classes"));
}

TEST_CASE("inspect shows each part, and refuses what would be left out") {
  const Scratch scratch;
  const fs::path data = write_parts(scratch / "data", {{"train", 4}, {"val", 2}, {"test", 1}});
  const auto json = nlohmann::json::parse(run({"inspect", "data", data.string(), "--json"}).out);
  REQUIRE(json["parts"].size() == 3);
  CHECK(json["parts"][1]["name"] == "val");
  CHECK(json["parts"][2]["name"] == "test");
  CHECK(json["parts"][2]["samples"] == 2);
  write_classes(data / "unsorted", {"dark"}, 1);
  for (const Arguments& command :
       {Arguments{"inspect", "data", data.string()},
        Arguments{"train", data.string(), "--run-dir", (scratch / "run").string()}}) {
    check_refused(command, 1, "unsorted: would be left out");
  }
}

TEST_CASE("a pair of IDX files alone is called what its name says, and else all") {
  const Scratch scratch;
  const std::string pixels("\0\0\0\0\xFF\xFF\xFF\xFF\0\0\0\0\xFF\xFF\xFF\xFF", 16);
  const auto write = [&](const std::string& start) {
    scratch.write(concat(start, "/", start, "-images-idx3-ubyte"), idx_bytes({4, 2, 2}, pixels));
    scratch.write(concat(start, "/", start, "-labels-idx1-ubyte"),
                  idx_bytes({4}, std::string_view("\0\1\0\1", 4)));
    return scratch / start;
  };
  const fs::path run_dir = scratch / "run";
  (void)trained(write("train"), run_dir, with({"--validation", write("t10k").string()}));
  for (const auto& [start, part] : {std::pair("t10k", "test"), std::pair("dev", "validation"),
                                    std::pair("train", "train"), std::pair("my", "all")}) {
    const auto result =
        json_of(run({"evaluate", run_dir.string(), write(start).string(), "--json"}));
    CHECK(result["measured"]["part"] == part);
  }
}
