// What commands do with files in folders that are no images, or images of which the name does
// not tell it: nothing vanishes without a word.

#include "apps/known_model.h"

#include <filesystem>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

/// Dark 30, 40, 50; light 200, 210: as files whose names tell little, or in linked folders.
fs::path write_oddly_named(const Scratch& scratch) {
  const fs::path data = scratch / "data";
  write_plain(data / "dark/1.jfif", 30);
  write_plain(data / "dark/2", 40);
  write_plain(data / "dark/3.photo", 50);
  write_plain(scratch / "elsewhere/a.jpe", 200);
  write_plain(scratch / "elsewhere/b.tif", 210);
  fs::create_directory_symlink(scratch / "elsewhere", data / "light");
  return data;
}

/// And what is left out of it: 2 by ending, 1 by content, 1 HEIC, 1 hidden.
fs::path write_more(const Scratch& scratch) {
  const fs::path data = write_oddly_named(scratch);
  scratch.write("data/dark/notes.txt", "x");
  scratch.write("data/dark/Thumbs.db", "x");
  scratch.write("data/dark/README", "no image");
  scratch.write("data/dark/4.heic", std::string_view("\0\0\0\x18"
                                                     "ftypheic",
                                                     12));
  scratch.write("data/dark/.hidden.png", "x");
  return data;
}

const nlohmann::json kByReason = {{"hidden", 1},
                                  {"not_an_image_by_ending", 2},
                                  {"not_an_image_by_content", 1},
                                  {"format_not_read", 1}};

/// The summary, behind the name of the folder.
const std::string kSummary =
    "left out 5: 1 hidden (dark/.hidden.png); 2 not images by their ending (dark/Thumbs.db, "
    "dark/notes.txt); 1 not an image by its content (dark/README); 1 HEIC, which is not read, "
    "convert "
    "with `heif-convert in.heic out.jpg` (dark/4.heic)";

}  // namespace

TEST_CASE("images are found by content and through links in train, evaluate, predict, inspect") {
  const Scratch scratch;
  const std::string data = write_oddly_named(scratch).string();
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const Outcome trained = run({"train", data, "--epochs", "1", "--model", "mlp:4", "--run-dir",
                               (scratch / "run").string(), "--validation-share", "0"});
  CHECK(trained.status == 0);
  CHECK(holds(trained.out, "5 images in 2 classes"));
  CHECK(!holds(trained.out, "left out"));
  const auto evaluated = json_of(run({"evaluate", model, data, "--json"}));
  CHECK(evaluated["samples"] == 5);
  CHECK(evaluated["accuracy"] == 1.0);
  CHECK(evaluated["left_out"] == 0);
  CHECK(!evaluated.contains("left_out_by_reason"));
  const Outcome predicted = run({"predict", model, data});
  CHECK(predicted.status == 0);
  CHECK(predicted.err.empty());
  CHECK(Outcome::lines(predicted.out).size() == 5);
  const Outcome inspected = run({"inspect", "data", data});
  CHECK(inspected.status == 0);
  CHECK(holds(inspected.out, "5 images"));
}

TEST_CASE("what is left out of folders is counted and named by each command") {
  const Scratch scratch;
  const std::string data = write_more(scratch).string();
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::vector<std::string> train{"train",
                                       data,
                                       "--epochs",
                                       "1",
                                       "--model",
                                       "mlp:4",
                                       "--run-dir",
                                       (scratch / "run").string(),
                                       "--validation-share",
                                       "0"};
  const Outcome told = run(train);
  CHECK(told.status == 0);
  CHECK(holds(told.out, "note: " + data + ": " + kSummary + '\n'));
  CHECK(told.err.empty());
  const auto report = nlohmann::json::parse(text_of(scratch / "run/report.json"));
  CHECK(report["left_out"] == 5);
  CHECK(report["left_out_by_reason"] == kByReason);
  std::vector<std::string> quietly = train;
  quietly.insert(quietly.end(), {"--overwrite", "--quiet"});
  const Outcome quiet = run(quietly);
  CHECK(quiet.status == 0);
  CHECK(quiet.out.empty());
  CHECK(quiet.err == "note: " + data + ": " + kSummary + '\n');

  const Outcome evaluated = run({"evaluate", model, data, "--json"});
  CHECK(evaluated.err == quiet.err);
  CHECK(json_of(evaluated)["samples"] == 5);
  CHECK(json_of(evaluated)["left_out"] == 5);
  CHECK(json_of(evaluated)["left_out_by_reason"] == kByReason);
  CHECK(run({"evaluate", model, data, "--quiet"}).err == quiet.err);

  const Outcome inspected = run({"inspect", "data", data});
  CHECK(holds(inspected.out, "note: " + data + ": " + kSummary + '\n'));
  CHECK(!holds(inspected.out, "\nleft out:\n"));
  const Outcome as_json = run({"inspect", "data", data, "--json", "--full"});
  const auto found = json_of(as_json);
  CHECK(as_json.err == quiet.err);
  CHECK(found["parts"][0]["samples"] == 5);
  CHECK(found["parts"][0]["classes"][1] == nlohmann::json{{"name", "light"}, {"samples", 2}});
  CHECK(found["parts"][0]["left_out_files"].size() == 5);
  CHECK(found["left_out"] == 5);
  CHECK(found["left_out_by_reason"] == kByReason);
  CHECK(found["formats"] == nlohmann::json{{"PNG", 5}});
}

TEST_CASE("images beside train/ and val/ are counted once by each command") {
  const Scratch scratch;
  const std::string data = (scratch / "data").string();
  for (const char* part : {"train", "val"}) {
    write_plain(scratch / "data" / part / "dark/1.png", 40);
    write_plain(scratch / "data" / part / "light/1.png", 200);
  }
  write_plain(scratch / "data/lost.png", 90);
  scratch.write("data/README.txt", "not an image");
  scratch.write("data/.record", "hidden");
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string told =
      "left out 1: 1 image beside the class folders, so without a class (../lost.png)";
  const std::vector<std::vector<std::string>> commands{
      {"train", data, "--epochs", "1", "--model", "mlp:4", "--run-dir", (scratch / "run").string()},
      {"evaluate", model, data},
      {"evaluate", model, data, "--part", "train"},
      {"inspect", "data", data}};
  for (const std::vector<std::string>& command : commands) {
    const Outcome outcome = run(command);
    INFO(command.front() << ": " << outcome.out << outcome.err);
    CHECK(outcome.status == 0);
    const std::string all = outcome.out + outcome.err;
    REQUIRE(holds(all, told));
    CHECK_FALSE(holds(all.substr(all.find(told) + told.size()), "lost.png"));
  }
  CHECK(nlohmann::json::parse(run({"inspect", "data", data, "--json"}).out)["left_out"] == 1);
}

TEST_CASE("inspect data with --full lists all that is left out") {
  const Scratch scratch;
  const fs::path data = write_oddly_named(scratch);
  for (int i = 0; i < 9; ++i) scratch.write(concat("data/dark/", i, ".txt"), "x");
  const Outcome few = run({"inspect", "data", data.string()});
  CHECK(holds(few.out, "9 not images by their ending (dark/0.txt, dark/1.txt, dark/2.txt, ...)"));
  CHECK(!holds(few.out, "dark/8.txt"));
  const Outcome all = run({"inspect", "data", data.string(), "--full"});
  CHECK(all.status == 0);
  CHECK(holds(all.out, "\nleft out:\n  dark/0.txt: not an image by its ending\n"));
  CHECK(holds(all.out, "\n  dark/8.txt: not an image by its ending\n"));
}

TEST_CASE("predict counts what it leaves out of folders, on standard error and in JSON") {
  const Scratch scratch;
  const std::string data = write_more(scratch).string();
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const Outcome text = run({"predict", model, data});
  CHECK(text.status == 1);  // somebody may want the HEIC
  CHECK(Outcome::lines(text.out).size() == 5);
  CHECK(Outcome::lines(text.err).size() == 1);
  CHECK(holds(text.err, "note: left out 5: 1 hidden (" + data + "/dark/.hidden.png); 2 "));
  fs::remove(scratch / "data/dark/4.heic");
  CHECK(run({"predict", model, data}).status == 0);

  const std::string bad = scratch.write("bad.png", "no image").string();
  const std::vector<std::string> lines =
      Outcome::lines(run({"predict", model, data, bad, "--json"}).out);
  REQUIRE(lines.size() == 6);
  const auto last = nlohmann::json::parse(lines.back());
  CHECK(last["left_out"] == 5);
  CHECK(last["left_out_by_reason"]["not_an_image_by_ending"] == 2);
  CHECK(last["left_out_by_reason"]["not_decoded"] == 1);
}

TEST_CASE("a folder that cannot be read costs itself alone") {
  const Scratch scratch;
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  const std::string data = (scratch / "data").string();
  for (const char* name : {"dark/1.png", "dark/locked/2.png", "dark/open/3.png"}) {
    write_plain(scratch / "data" / name, 30);
  }
  write_plain(scratch / "data/light/1.png", 200);
  fs::permissions(scratch.path(), fs::perms::all);
  fs::permissions(scratch / "data/dark/locked", fs::perms::none);
  const RunOptions as_other{.drop_privileges = true};

  const Outcome predicted = run({"predict", model, data}, as_other);
  CHECK(predicted.status == 1);
  CHECK(Outcome::lines(predicted.out).size() == 3);
  CHECK(holds(predicted.err, data + "/dark/locked: cannot be read: Permission denied"));
  const Outcome evaluated = run({"evaluate", model, data, "--json"}, as_other);
  CHECK(json_of(evaluated)["samples"] == 3);
  CHECK(json_of(evaluated)["left_out_by_reason"] == nlohmann::json{{"cannot_be_read", 1}});
  CHECK(holds(evaluated.err, "dark/locked"));
  const std::vector<std::string> train{"train",   data,    "--epochs",  "1",
                                       "--model", "mlp:4", "--run-dir", (scratch / "run").string()};
  const Outcome trained = run(train, as_other);
  CHECK(trained.status == 0);
  CHECK(holds(trained.err, "dark/locked: cannot be read: Permission denied"));

  fs::permissions(scratch / "data/dark", fs::perms::none);
  const Outcome refused = run(train, as_other);
  CHECK(refused.status == 1);
  CHECK(Outcome::lines(refused.err).size() == 1);
  CHECK(holds(refused.err, data + "/dark: cannot be read: Permission denied; the class 'dark'"));
  const Outcome part = run({"predict", model, data}, as_other);
  CHECK(part.status == 1);
  CHECK(Outcome::lines(part.out).size() == 1);
  fs::permissions(scratch / "data/dark", fs::perms::owner_all);
  fs::permissions(scratch / "data/dark/locked", fs::perms::owner_all);
}

TEST_CASE("a run that leaves out a whole class, or many images, says so at its end") {
  const Scratch scratch;
  write_classes(scratch / "data", {"cats", "dogs"}, 10);
  for (int i = 0; i < 10; ++i) scratch.write(concat("data/birds/", i, ".png"), "no image");
  const std::string data = (scratch / "data").string(), dir = (scratch / "run").string();
  const Outcome outcome = run({"train", data, "--epochs", "2", "--model", "mlp:4", "--run-dir", dir,
                               "--quiet", "--validation-share", "0.2", "--on-bad-image", "skip"});
  CHECK(outcome.status == 0);
  for (const char* line :
       {"millrace: warning: none of the training images of the class 'birds' could be read\n",
        "millrace: warning: 8 of 24 training images could not be read, 33.3 %\n",
        "millrace: warning: none of the validation images of the class 'birds' could be read\n",
        "millrace: warning: 2 of 6 validation images could not be read, 33.3 %\n"}) {
    CAPTURE(outcome.err, line);
    CHECK(holds(outcome.err, line));
  }
  const Outcome evaluated = run({"evaluate", dir, data, "--on-bad-image", "skip", "--json"});
  CHECK(json_of(evaluated)["left_out"] == 10);
  CHECK(json_of(evaluated)["left_out_by_reason"] == nlohmann::json{{"not_decoded", 10}});
  CHECK(holds(evaluated.err, "warning: none of the images of the class 'birds' could be read\n"));

  for (int i = 1; i < 10; ++i) fs::remove(scratch / concat("data/birds/", i, ".png"));
  write_plain(scratch / "data/birds/1.png", 90);
  const Outcome one = run({"evaluate", dir, data, "--on-bad-image", "skip", "--json"});
  CHECK(json_of(one)["left_out"] == 1);
  CHECK(!holds(one.err, "warning"));
}

TEST_CASE("names with control characters or bytes that are not UTF-8 go through all commands") {
  const Scratch scratch;
  const std::vector<std::string> classes{"a\tb\x1b[31m", "caf\xE9\n"};
  write_classes(scratch / "data", classes, 4);
  const std::string data = (scratch / "data").string(), dir = (scratch / "run").string();
  const Outcome trained =
      run({"train", data, "--epochs", "1", "--model", "mlp:4", "--run-dir", dir});
  CHECK(trained.status == 0);
  CHECK(holds(trained.out, "the class folder caf\\xe9\\n is not UTF-8"));
  const Outcome evaluated = run({"evaluate", dir, data});
  CHECK(evaluated.status == 0);
  CHECK(holds(evaluated.out, "a\\tb\\e[31m "));
  CHECK(holds(evaluated.out, "caf\\xe9\\n "));
  const auto result = json_of(run({"evaluate", dir, data, "--json"}));
  CHECK(result["classes"][0]["name"] == classes[0]);
  CHECK(result["classes"][1]["name"] == "caf\\xe9\n");
  const Outcome predicted = run({"predict", dir, data});
  CHECK(predicted.status == 0);
  const std::vector<std::string> lines = Outcome::lines(predicted.out);
  REQUIRE(lines.size() == 8);
  CHECK(lines[0].rfind(data + "/a\\tb\\e[31m/0.png\t", 0) == 0);
  CHECK(std::count(lines[0].begin(), lines[0].end(), '\t') == 2);
  const Outcome inspected = run({"inspect", "data", data});
  CHECK(holds(inspected.out, "caf\\xe9\\n "));
  const Outcome model = run({"inspect", "model", dir});
  CHECK(holds(model.out, "2 classes: a\\tb\\e[31m, caf\\xe9\\n\n"));
  for (const Outcome* outcome : {&trained, &evaluated, &predicted, &inspected, &model}) {
    CHECK(outcome->out.find('\x1b') == std::string::npos);
    CHECK(outcome->out.find('\xE9') == std::string::npos);
  }
  const Outcome refused = run({"train", (scratch / "no\nsuch\x1b[2J").string()});
  CHECK(refused.status == 1);
  CHECK(holds(refused.err, "/no\\nsuch\\e[2J: "));
  CHECK(Outcome::lines(refused.err).size() == 1);
}
