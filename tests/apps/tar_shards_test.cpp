// Tar shards as DATA of every command.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <millrace/io/convert_tar.h>

#include <nlohmann/json.hpp>

#include <algorithm>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// Class folders, and their files in shards of 16.
struct Packed {
  explicit Packed(bool shuffle = true, int images_each = 25) {
    write_classes(folder, {"dark", "grey", "light"}, images_each);
    convert_tar(folder, shards, {.size = {.samples = 16}, .shuffle = shuffle});
  }
  Scratch scratch;
  fs::path folder = scratch / "folder", shards = scratch / "shards";
};

std::vector<std::byte> model_of(const fs::path& run_dir) {
  return read_file(run_dir / "model.safetensors");
}

Arguments small_steps(int epochs, const Arguments& more = {}) {
  return quick_steps(epochs, with({"--flip", "--rotation-range", "20"}, more));
}

}  // namespace

TEST_CASE("training from tar shards gives the weights of the same files in the same order") {
  const Packed packed(false);
  const Scratch& scratch = packed.scratch;
  trained(packed.folder, scratch / "files", small_steps(3));
  trained(packed.shards, scratch / "all-mixed", small_steps(3, {"--shuffle-buffer", "0"}));
  CHECK(model_of(scratch / "all-mixed") == model_of(scratch / "files"));
  CHECK(figures(scratch / "all-mixed") == figures(scratch / "files"));
  trained(packed.folder, scratch / "in-order", small_steps(3, {"--no-shuffle"}));
  trained(packed.shards, scratch / "in-order-too", small_steps(3, {"--no-shuffle"}));
  CHECK(model_of(scratch / "in-order-too") == model_of(scratch / "in-order"));
  // Compressed ones, which are unpacked, hold the same.
  fs::create_directory(scratch / "compressed");
  for (const auto& shard : fs::directory_iterator(packed.shards)) {
    const std::string name = shard.path().filename().string();
    if (!name.ends_with(".tar")) continue;
    const std::string bytes = text_of(shard.path());
    const gzFile file = ::gzopen((scratch / ("compressed/" + name + ".gz")).c_str(), "wb");
    ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    ::gzclose(file);
  }
  fs::copy_file(packed.shards / "classnames.txt", scratch / "compressed/classnames.txt");
  const Outcome outcome = trained(scratch / "compressed", scratch / "unpacked",
                                  small_steps(3, {"--shuffle-buffer", "0"}));
  CHECK_THAT(outcome.out + outcome.err, Contains("into a temporary file in"));
  CHECK(model_of(scratch / "unpacked") == model_of(scratch / "files"));
}

TEST_CASE("the order of shards does not depend on how many threads read them") {
  const Packed packed;
  const Scratch& scratch = packed.scratch;
  for (const char* threads : {"1", "4"}) {
    trained(packed.shards, scratch / threads,
            small_steps(2, {"--shuffle-buffer", "7", "--threads", threads}));
  }
  CHECK(model_of(scratch / "1") == model_of(scratch / "4"));
  trained(packed.shards, scratch / "other", small_steps(2, {"--shuffle-buffer", "8"}));
  CHECK(model_of(scratch / "other") != model_of(scratch / "1"));
}

TEST_CASE("a run on shards that is resumed after any step of theirs ends with the same weights") {
  const Packed packed;
  const Scratch& scratch = packed.scratch;
  const fs::path whole = scratch / "whole";
  trained(packed.shards, whole,
          small_steps(
              2, {"--shuffle-buffer", "9", "--checkpoint-every", "1", "--keep-checkpoints", "0"}));
  std::vector<fs::path> checkpoints;
  for (const auto& entry : fs::directory_iterator(whole / "checkpoints")) {
    if (entry.path().filename().string().starts_with("step-")) checkpoints.push_back(entry.path());
  }
  std::sort(checkpoints.begin(), checkpoints.end());
  REQUIRE(checkpoints.size() >= 21);
  for (std::size_t i = 0; i < 20; ++i) {  // as if killed right after this one was written
    const fs::path run_dir = scratch / "resumed";
    fs::remove_all(run_dir);
    fs::create_directories(run_dir / "checkpoints");
    for (const char* file : {"config.ini", "data.json"}) {
      if (fs::exists(whole / file)) fs::copy_file(whole / file, run_dir / file);
    }
    fs::copy_file(checkpoints[i], run_dir / "checkpoints" / checkpoints[i].filename());
    const Outcome outcome = run({"train", "--resume", run_dir.string()});
    INFO(checkpoints[i].filename() << outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK(model_of(run_dir) == model_of(whole));
  }
}

TEST_CASE("a run on shards that is stopped by a signal goes on to the same bit") {
  const Packed packed(true, 40);
  const Scratch& scratch = packed.scratch;
  const Arguments options = small_steps(30, {"--shuffle-buffer", "9"});
  trained(packed.shards, scratch / "whole", options);
  const Outcome stopped =
      train(packed.shards, scratch / "run", options, {.signal = SIGTERM, .signal_at = "epoch "});
  INFO(stopped.err);
  REQUIRE(stopped.status == 128 + SIGTERM);
  const Outcome resumed = run({"train", "--resume", (scratch / "run").string()});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK(model_of(scratch / "run") == model_of(scratch / "whole"));
}

TEST_CASE("what is trained on shards is measured, predicted and looked at on shards") {
  const Packed packed(true, 40);
  const Scratch& scratch = packed.scratch;
  const std::string run_dir = (scratch / "run").string();
  const std::string shards = packed.shards.string();
  trained(packed.shards, run_dir, quick_steps(8));
  const Outcome held_out = run({"evaluate", run_dir, "--held-out"});
  INFO(held_out.err);
  CHECK(held_out.status == 0);
  const Outcome evaluated = run({"evaluate", run_dir, shards + "/shard-{000000..000003}.tar"});
  INFO(evaluated.err);
  CHECK(evaluated.status == 0);
  CHECK_THAT(evaluated.out, Contains("dark") && Contains("light"));

  const Outcome files = run({"predict", run_dir, packed.folder.string()});
  const Outcome predicted = run({"predict", run_dir, shards});
  const Outcome braces = run({"predict", run_dir, shards + "/shard-{000000..000007}.tar"});
  INFO(predicted.err);
  CHECK(predicted.status == 0);
  CHECK(predicted.out == braces.out);
  const auto answers = [](const Outcome& outcome) {
    std::vector<std::string> all;
    for (const std::string& line : Outcome::lines(outcome.out)) {
      all.push_back(line.substr(line.find('\t')));
    }
    std::sort(all.begin(), all.end());
    return all;
  };
  CHECK(answers(predicted) == answers(files));
  CHECK_THAT(predicted.out, Contains("shard-000000.tar:000000000.png\t"));

  const Outcome inspected = run({"inspect", shards, "--full"});
  INFO(inspected.err);
  CHECK(inspected.status == 0);
  CHECK_THAT(inspected.out, Contains("120 images; 3 classes") && Contains("PNG 120"));
  const Outcome bench = run({"bench", "train", shards, "--model", "mlp:8", "--batch", "8"});
  INFO(bench.err);
  CHECK(bench.status == 0);
}

TEST_CASE("predict takes each shard once and leaves out none that it has read") {
  const Packed packed;
  const Scratch& scratch = packed.scratch;
  const std::string run_dir = (scratch / "run").string(), shards = packed.shards.string();
  trained(packed.shards, run_dir, quick_steps(1));
  fs::copy_file(packed.shards / "shard-000000.tar", packed.shards / "shard-000000.tgz");
  fs::create_symlink("shard-000001.tar", packed.shards / "shard-9.tar");
  for (const std::string& path :
       {shards, shards + "/shard-*", shards + "/{shard-*,shard-000002}.tar"}) {
    const Outcome outcome = run({"predict", run_dir, path});
    INFO(path << '\n' << outcome.err);
    CHECK(outcome.status == 0);
    CHECK(Outcome::lines(outcome.out).size() == 75);
    REQUIRE(Outcome::lines(outcome.err).size() == 1);
    CHECK_THAT(outcome.err, Contains("with the file") && !Contains("by its ending") &&
                                !Contains("shard-000000.tar"));
  }
  CHECK_THAT(run({"evaluate", run_dir, shards}).out, Contains("samples   75"));
  const auto json =
      nlohmann::json::parse(Outcome::lines(run({"predict", run_dir, shards, "--json"}).out).back());
  CHECK(json == nlohmann::json{{"left_out", 2}, {"left_out_by_reason", {{"shard_again", 2}}}});
}

TEST_CASE("inspect fails for the shards that training would fail for, and says each once") {
  const Packed packed;
  const std::string shards = packed.shards.string();
  const auto inspected = [](const std::string& path, const std::string& shard) {
    const Outcome outcome = run({"inspect", "data", path});
    INFO(outcome.out << outcome.err);
    CHECK(outcome.status == 1);
    CHECK_THAT(outcome.out,
               Contains("cannot be read:\n  ") && Contains(shard + ": cannot be read: "));
    CHECK_THAT(outcome.err, Contains("1 file or folder cannot be read") && !Contains(shard));
    const Outcome as_json = run({"inspect", "data", path, "--json"});
    CHECK(as_json.status == 1);
    const auto json = nlohmann::json::parse(as_json.out);
    CHECK(json["left_out_by_reason"]["cannot_be_read"] == 1);
    REQUIRE(json["cannot_be_read"].size() == 1);
    CHECK_THAT(json["cannot_be_read"][0].get<std::string>(), Contains(shard));
  };
  inspected(shards + "/shard-{000000..000005}.tar", "shard-000005.tar");
  fs::resize_file(packed.shards / "shard-000003.tar", 3000);
  inspected(shards, "shard-000003.tar");
}

TEST_CASE("a pattern without quotes is told from too many arguments") {
  const Packed packed;
  const std::string shards = packed.shards.string();
  const Outcome outcome =
      run({"train", shards + "/shard-000000.tar", shards + "/shard-000001.tar"});
  CHECK(outcome.status == 2);
  CHECK_THAT(outcome.err, Contains("too many arguments; put a pattern in quotes"));
}

TEST_CASE("shards of parts by a word within their names are trained and validated on") {
  const Packed packed(true, 40);
  const Scratch& scratch = packed.scratch;
  const std::vector<std::string> names = {"a-train-0", "b-train-0", "a-val-0", "b-val-0"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    scratch.write(concat("parts/", names[i], ".tar"),
                  text_of(packed.shards / concat("shard-00000", i, ".tar")));
  }
  const Outcome outcome = trained(scratch / "parts", scratch / "run", quick_steps(1));
  CHECK_THAT(outcome.out, Contains("validation  32 images of the validation part of DATA"));
  const Outcome all = trained(scratch / "parts/*.tar", scratch / "all", quick_steps(1));
  CHECK_THAT(all.out, Contains("note: ") && Contains("shards of several parts, such as "));
  check_refused(
      {"evaluate", (scratch / "run").string(), (scratch / "parts").string(), "--part", "test"}, 1,
      "has no test part; expected test-*.tar beside train-*.tar");
}

TEST_CASE("a damaged shard ends training, or is left out as bad images are") {
  const Packed packed(true, 40);
  const Scratch& scratch = packed.scratch;
  const fs::path shard = packed.shards / "shard-000003.tar";
  fs::resize_file(shard, fs::file_size(shard) / 2);
  const Outcome refused = train(packed.shards, scratch / "run", quick_steps(1));
  CHECK(refused.status == 1);
  REQUIRE(Outcome::lines(refused.err).size() == 1);
  CHECK_THAT(refused.err, Contains("shard-000003.tar: ") && Contains("get it again") &&
                              Contains("--on-bad-image skip"));
  const Outcome skipped =
      trained(packed.shards, scratch / "run", quick_steps(1, {"--on-bad-image", "skip"}));
  CHECK_THAT(skipped.err, Contains("left out: ") && Contains("shard-000003.tar: cannot be read"));
  const Outcome measured = run({"evaluate", (scratch / "run").string(), packed.shards.string()});
  CHECK(measured.status == 1);
  CHECK(run({"evaluate", (scratch / "run").string(), packed.shards.string(), "--on-bad-image",
             "skip"})
            .status == 0);
  const Outcome predicted = run({"predict", (scratch / "run").string(), packed.shards.string()});
  CHECK(predicted.status == 1);
  CHECK_THAT(predicted.err, Contains("shard-000003.tar: cannot be read: "));
  CHECK(Outcome::lines(predicted.out).size() > 100);
}

TEST_CASE("options of shards are refused where they have no effect, and poor mixing is told") {
  const Packed packed(false, 40);
  const Scratch& scratch = packed.scratch;
  const Outcome folder =
      train(packed.folder, scratch / "run", quick_steps(1, {"--shuffle-buffer", "5"}));
  CHECK(folder.status == 2);
  CHECK_THAT(folder.err, Contains("--shuffle-buffer is for tar shards"));
  const Outcome sorted =
      trained(packed.shards, scratch / "run", quick_steps(1, {"--shuffle-buffer", "5"}));
  CHECK_THAT(sorted.err, Contains("most shards hold images of one class alone"));
  const Outcome mixed = trained(packed.shards, scratch / "mixed", quick_steps(1));
  CHECK_THAT(mixed.err, !Contains("most shards"));
}

TEST_CASE("the program packs class folders, says how much, and leaves nothing when it is stopped") {
  const Scratch scratch;
  write_classes(scratch / "data/train", {"dark", "light"}, 20);
  write_classes(scratch / "data/val", {"dark", "light"}, 5);
  const std::string data = (scratch / "data").string(), out = (scratch / "out").string();
  const Outcome packed = run({"convert", "tar", data, out, "--shard-size", "15"});
  INFO(packed.err);
  CHECK(packed.status == 0);
  CHECK_THAT(packed.out, Contains("out: 50 images in 4 shards"));
  trained(scratch / "out", scratch / "run", quick_steps(1));
  scratch.write("data/train/dark/notes.txt", "");
  const Outcome noted = run({"convert", "tar", data, out + "-noted"});
  CHECK(noted.status == 0);
  CHECK_THAT(noted.out, Contains("note: ") && Contains("dark/notes.txt"));
  const Outcome twice = run({"convert", "tar", data, out});
  CHECK(twice.status == 1);
  CHECK_THAT(twice.err, Contains("holds something already"));
  const auto refused = [&](const Arguments& more, const std::string& why) {
    const Outcome outcome = run(with({"convert"}, more));
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.err, Contains(why));
  };
  refused({"tar", data, out + "2", "--shard-size", "0"}, "--shard-size must be 1 or more");
  refused({"tar", data, out + "2", "--shard-size", "8KiB"}, "--shard-size must be 10 KiB or more");
  refused({"tar", data, out + "2", "--shard-size", "many"}, "a number of samples or a size");
  refused({"tar", data, out + "2", "--class-names", "a,b"}, "--class-names");
  refused({"idx", data, out + "2", "--shard-size", "5"}, "--shard-size");
  refused({"tar", data}, "convert tar: needs DIR and OUT");
  refused({"zip", data, out}, "unknown form 'zip'; choose idx DIR OUT, tar DIR OUT");
}
