// By what `evaluate --held-out` knows the samples of a run.

#include "apps/known_model.h"
#include "apps/train_run.h"
#include "io/idx_files.h"

#include <millrace/core/shell_text.h>

#include <fstream>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

TEST_CASE("other samples of the same names and classes are not taken for those of the run") {
  const Scratch scratch;
  const fs::path parts = scratch / "parts", run_dir = scratch / "run";
  for (int i = 0; i < 6; ++i) {
    for (int label = 0; label < 2; ++label) {
      const std::string name = concat('c', label, '/', i, ".png");
      write_image(parts / "train" / name, 20 + i * 9 + label * 50, i, 8);
      write_image(parts / "val" / name, 30 + i * 9 + label * 50, i, 8);
    }
  }
  const Arguments quick = {"--model", "mlp:4", "--epochs", "1", "--overwrite"};
  trained(parts, run_dir, quick);
  const Outcome val = run({"evaluate", run_dir.string(), parts.string(), "--json"});
  CHECK(val.err.empty());
  CHECK(json_of(val)["measured"]["trained_on"] == 0);

  const auto check = [&](const fs::path& data, const fs::path& other) {
    trained(data, run_dir, quick);
    CHECK(held_out(run_dir, {data.string()})["measured"]["trained_on"] == 0);
    CHECK(run({"evaluate", run_dir.string(), other.string(), "--json"}).err.empty());
    check_refused({"evaluate", run_dir.string(), other.string(), "--held-out"}, 1,
                  "samples with other contents");
  };
  check(parts / "train", parts / "val");
  std::string one = "x,y\n", two = one;
  for (int i = 0; i < 20; ++i) {
    one += concat(i, ',', i % 2, '\n');
    two += concat(i * 3 + 1, ',', i % 2, '\n');
  }
  check(scratch.write("one/t.csv", one), scratch.write("two/t.csv", two));
  write_idx(scratch / "idx1", "train", labels_in_turn(20, 2));
  fs::copy(scratch / "idx1", scratch / "idx2");
  for (const auto& file : fs::directory_iterator(scratch / "idx2")) {
    if (file.path().filename().string().find("images") == std::string::npos) continue;
    std::fstream bytes(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    for (int i = 0; i < 20; ++i) bytes.seekp(16 + i * 64 + 60).write("else", 4);
  }
  check(scratch / "idx1", scratch / "idx2");
}

TEST_CASE("names that are given for numbers do not make samples others") {
  const Scratch scratch;
  write_idx(scratch / "idx", "train", labels_in_turn(30, 3));
  const fs::path idx = scratch / "idx", run_dir = scratch / "run";
  trained(idx, run_dir, {"--model", "mlp:4", "--epochs", "1"});
  CHECK(held_out(run_dir, {"--class-names", "a,b,c"})["samples"] == 6);
  CHECK_THAT(run({"evaluate", run_dir.string(), idx.string(), "--class-names", "a,b,c"}).err,
             Contains("was trained on 24 of these 30"));
}

TEST_CASE("a run needs the file of its class names no more") {
  const Scratch scratch;
  write_idx(scratch / "idx", "train", labels_in_turn(30, 3));
  const fs::path idx = scratch / "idx", run_dir = scratch / "run";
  const std::string text = GENERATE(
      "\xEF\xBB\xBF"
      "cats \r\n dogs\r\nowls\r\n\r\n",
      "cats\ndogs\nowls, all of them\n");
  const bool are_words = text.find(',') == std::string::npos;
  const fs::path names = scratch.write("names.txt", text);
  trained(idx, run_dir, {"--model", "mlp:4", "--epochs", "1", "--class-names", names.string()});
  CHECK(load_model(run_dir / "model.safetensors").model.classes ==
        Arguments{"cats", "dogs", are_words ? "owls" : "owls, all of them"});
  fs::remove(names);
  CHECK(held_out(run_dir)["samples"] == 6);
  CHECK(run({"evaluate", run_dir.string(), idx.string(), "--quiet"}).status == 0);
  fs::rename(idx, scratch / "moved");
  CHECK(held_out(run_dir, {(scratch / "moved").string()})["samples"] == 6);
  check_refused({"evaluate", run_dir.string(), "--held-out"}, 1,
                "evaluate " + shell_quoted(run_dir.native()) + " DATA --held-out");
  fs::rename(scratch / "moved", idx);
  if (!are_words) return;
  const Outcome more = run({"train", "--resume", run_dir.string(), "--epochs", "2"});
  INFO(more.err);
  CHECK(more.status == 0);
}
