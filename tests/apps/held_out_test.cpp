// What a run kept back of its data is measured again by `evaluate --held-out`, and nothing else is
// taken for it.

#include "apps/known_model.h"
#include "apps/train_run.h"
#include "io/idx_files.h"

#include <millrace/core/shell_text.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// Images that are hard to tell apart, so that losses differ.
fs::path write_hard(const fs::path& root) {
  for (int i = 0; i < 30; ++i) {
    for (int label = 0; label < 3; ++label) {
      const int brightness = (i * 37 + label * 23) % 160 + label * 25;
      write_image(root / concat("c", label) / concat(i, ".png"), brightness, i, 8);
    }
  }
  return root;
}

/// As the screen shows it.
std::string shown_loss(double loss) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4f", loss);
  return text.data();
}

const Arguments kHard = {"--model",         "mlp:32", "--epochs",           "6",
                         "--learning-rate", "0.03",   "--validation-share", "0.4"};

Arguments with(Arguments more) {
  more.insert(more.begin(), kHard.begin(), kHard.end());
  return more;
}

}  // namespace

TEST_CASE("the held-out share gives the val_loss of the epoch whose weights are loaded") {
  const Scratch scratch;
  const fs::path data = write_hard(scratch / "data"), run_dir = scratch / "run";
  const Arguments more = GENERATE(Arguments{}, Arguments{"--batch", "7"},
                                  Arguments{"--l2", "0.01", "--label-smoothing", "0.1"},
                                  Arguments{"--class-weight", "c0=3", "--seed", "9"});
  const Outcome outcome = trained(data, run_dir, with(more));
  const std::vector<Row> rows = metrics(run_dir);
  const auto result = held_out(run_dir);
  CHECK(result["samples"] == 36);
  CHECK(shown_loss(result["loss"]) == shown_loss(std::stod(rows.back().at("val_loss"))));
  CHECK(result["accuracy"].get<double>() == Approx(std::stod(rows.back().at("val_accuracy"))));
  CHECK(result["data"] == data.string());
  CHECK(result["measured"] ==
        nlohmann::json({{"part", "held-out"},
                        {"samples", 36},
                        {"trained_on", 0},
                        {"classes_without_samples", nlohmann::json::array()}}));
  // The weights of the best epoch, and the last ones by the name of their file.
  double least = 1e9;
  for (const Row& row : rows) least = std::min(least, std::stod(row.at("val_loss")));
  CHECK(shown_loss(held_out(run_dir / "best.safetensors")["loss"]) == shown_loss(least));
  CHECK(held_out(run_dir / "model.safetensors")["loss"] == result["loss"]);
}

TEST_CASE("the held-out share is found in a copy of the data, and missed where they changed") {
  const Scratch scratch;
  const fs::path data = write_hard(scratch / "data"), run_dir = scratch / "run";
  trained(data, run_dir, kHard);
  fs::rename(data, scratch / "moved");
  check_refused({"evaluate", run_dir.string(), "--held-out"}, 1, data.string() + ": No such file");
  const std::string moved = (scratch / "moved").string();
  CHECK(held_out(run_dir, {moved})["samples"] == 36);
  CHECK(run({"evaluate", run_dir.string(), moved, "--held-out", "--quiet"}).err.empty());
  write_image(scratch / "moved/c1/new.png", 9, 9, 8);
  check_refused({"evaluate", run_dir.string(), moved, "--held-out"}, 1, "is not the data of");
  fs::remove(scratch / "moved/c1/new.png");
  fs::rename(scratch / "moved/c1/7.png", scratch / "moved/c1/07.png");
  check_refused({"evaluate", run_dir.string(), moved, "--held-out"}, 1, "is not the data of");
}

TEST_CASE("a run that kept nothing back says what to measure instead") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"a", "b"}, 4);
  const fs::path other = write_classes(scratch / "other", {"a", "b"}, 2);
  const std::string run_dir = (scratch / "run").string();
  const Arguments quick = {"--model", "mlp:4", "--epochs", "1", "--overwrite"};
  const auto check = [&](const fs::path& set, Arguments more, const std::string& why) {
    more.insert(more.end(), quick.begin(), quick.end());
    trained(set, run_dir, more);
    check_refused({"evaluate", run_dir, "--held-out"}, 1, why);
  };
  check(data, {"--validation-share", "0"}, "held nothing out (--validation-share 0)");
  check(data, {"--validation", other.string()},
        "measure on those: millrace evaluate " + shell_quoted(run_dir) + ' ' +
            shell_quoted(other.native()));
  fs::rename(data, scratch / "train");
  fs::create_directory(data);
  fs::rename(scratch / "train", data / "train");
  fs::rename(other, data / "test");
  check(data, {},
        "measure on that: millrace evaluate " + shell_quoted(run_dir) + ' ' +
            shell_quoted(data.native()));
  const std::string model = save_brightness_model(scratch / "model.safetensors").string();
  check_refused({"evaluate", model, "--held-out"}, 1, "is not in a run directory");
  check_refused({"evaluate", run_dir, "--held-out", "--part", "train"}, 2, "leave out --part");
}

TEST_CASE("measuring on what a model was trained on is said in one line") {
  const Scratch scratch;
  const fs::path data = write_hard(scratch / "data"), run_dir = scratch / "run";
  trained(data, run_dir, kHard);
  const Outcome all = run({"evaluate", run_dir.string(), data.string(), "--json"});
  CHECK(all.err ==
        "note: the model was trained on 54 of these 90 images; for the share that "
        "it held out: millrace evaluate " +
            shell_quoted(run_dir.native()) + " --held-out\n");
  CHECK(json_of(all)["measured"]["trained_on"] == 54);
  check_refused({"evaluate", run_dir.string(), data.string(), "--part", "validation"}, 1,
                "for the share that the run held out: millrace evaluate " +
                    shell_quoted(run_dir.native()) + " --held-out");
  CHECK(json_of(all)["measured"]["part"] == "all");
  write_image(data / "c0/new.png", 9, 9, 8);
  const Outcome changed = run({"evaluate", run_dir.string(), data.string(), "--json"});
  CHECK_THAT(changed.err, Contains("was trained on this data, which changed since"));
  CHECK(json_of(changed)["measured"]["trained_on"].is_null());

  const fs::path parts = scratch / "parts";
  write_classes(parts / "train", {"a", "b"}, 4);
  write_classes(parts / "val", {"a", "b"}, 2);
  trained(parts, run_dir, {"--model", "mlp:4", "--epochs", "1", "--overwrite"});
  const Outcome train_part =
      run({"evaluate", run_dir.string(), parts.string(), "--part", "train", "--json"});
  CHECK(train_part.err ==
        "note: the model was trained on all of these 8 images, which says little about "
        "new ones\n");
  CHECK(json_of(train_part)["measured"]["trained_on"] == 8);
  const Outcome val = run({"evaluate", run_dir.string(), parts.string(), "--json"});
  CHECK(val.err.empty());
  CHECK(json_of(val)["measured"]["trained_on"] == 0);
  const fs::path new_ones = write_classes(scratch / "new", {"a", "b"}, 3);
  CHECK(run({"evaluate", run_dir.string(), new_ones.string(), "--json"}).err.empty());
}

TEST_CASE("the share is kept of IDX files and generated samples as of folders") {
  const Scratch scratch;
  write_idx(scratch / "idx", "train", labels_in_turn(30, 3));
  const fs::path run_dir = scratch / "run";
  for (const std::string& data :
       {(scratch / "idx").string(), std::string("generated:40x8x8x1:4")}) {
    trained(data, run_dir, {"--model", "mlp:8", "--epochs", "2", "--overwrite"});
    const auto result = held_out(run_dir);
    CHECK(shown_loss(result["loss"]) == shown_loss(std::stod(column(run_dir, "val_loss").back())));
    CHECK_THAT(run({"evaluate", run_dir.string(), data, "--json"}).err,
               Contains("the model was trained on "));
  }
}

TEST_CASE("the share of a table is read as the run read it, whatever the order of columns") {
  const Scratch scratch;
  std::string text = "y;a;b\n", turned = "b,y,a\n";
  for (int i = 0; i < 40; ++i) {
    const int a = i * 37 % 50, b = i * 11 % 40, y = a > b ? 1 : 0;
    text += concat(y, ';', a, ';', b, '\n');
    turned += concat(b, ',', y, ',', a, '\n');
  }
  const fs::path data = scratch.write("t.csv", text), run_dir = scratch / "run";
  const Arguments names = GENERATE(Arguments{}, Arguments{"--class-names", "less,more"});
  Arguments more = {"--model", "mlp:8", "--epochs", "2", "--separator", ";", "--label-column", "y"};
  more.insert(more.end(), names.begin(), names.end());
  trained(data, run_dir, more);
  const std::string loss = shown_loss(std::stod(column(run_dir, "val_loss").back()));
  const auto result = held_out(run_dir);
  CHECK(result["samples"] == 7);
  CHECK(shown_loss(result["loss"]) == loss);
  CHECK_THAT(run({"evaluate", run_dir.string(), data.string(), "--quiet"}).err,
             Contains("the model was trained on 33 of these 40 rows"));

  Arguments other = {scratch.write("other/t.csv", turned).string(), "--separator", ","};
  other.insert(other.end(), names.begin(), names.end());
  CHECK(shown_loss(held_out(run_dir, other)["loss"]) == loss);
  check_refused({"evaluate", run_dir.string(), "--held-out", "--label-column", "a"}, 1,
                "t.csv:1: column 'a' is a feature of the model, not the label");
  check_refused({"evaluate", run_dir.string(), "--held-out", "--separator", ","}, 1,
                "if columns are separated by ';': --separator ';'");
}

TEST_CASE("the share of a run of an older program is known by its checkpoints") {
  const Scratch scratch;
  const fs::path run_dir = scratch / "dense";
  fs::copy(fs::path(MILLRACE_TEST_DATA) / "runs/dense", run_dir,
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const auto result = held_out(run_dir);
  CHECK(result["samples"] == 48);
  CHECK(result["loss"].get<double>() ==
        Approx(std::stod(column(run_dir, "val_loss").back())).epsilon(1e-5));
  fs::remove_all(run_dir / "checkpoints");
  check_refused({"evaluate", run_dir.string(), "--held-out"}, 1, "does not record its samples");
}

TEST_CASE("a run that validated on its first batches alone says so where the rest is measured") {
  const Scratch scratch;
  const fs::path data = write_hard(scratch / "data"), run_dir = scratch / "run";
  trained(data, run_dir, with({"--limit-batches", "1"}));
  const Outcome outcome = run({"evaluate", run_dir.string(), "--held-out", "--quiet"});
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.err, Contains("validated on its first batch only (--limit-batches)"));
}

TEST_CASE(
    "a run that goes on with another loss begins its best anew, and its best is measured so") {
  const Scratch scratch;
  const fs::path data = write_hard(scratch / "data"), run_dir = scratch / "run";
  trained(data, run_dir, kHard);
  const Arguments other = GENERATE(Arguments{"--l2", "0.2"}, Arguments{"--label-smoothing", "0.3"});
  Arguments more = {"train", "--resume", run_dir.string(), "--epochs", "8"};
  more.insert(more.end(), other.begin(), other.end());
  const Outcome outcome = run(more);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.out, Contains("val_loss changes with this --l2 or --label-smoothing: the "
                                   "best so far is reset"));
  const std::vector<Row> rows = metrics(run_dir);
  const double least =
      std::min(std::stod(rows[6].at("val_loss")), std::stod(rows[7].at("val_loss")));
  CHECK(shown_loss(held_out(run_dir / "best.safetensors")["loss"]) == shown_loss(least));
}

TEST_CASE("a few steps of held-out samples have the figures of the run but for rounding") {
  const Scratch scratch;
  const fs::path data = write_hard(scratch / "data"), run_dir = scratch / "run";
  // 18 samples are two batches of 7 and one of 4, of which training times no operation.
  trained(data, run_dir,
          {"--model", "cnn:32,32:8", "--size", "16", "--epochs", "2", "--batch", "7",
           "--learning-rate", "0.01", "--validation-share", "0.2"});
  const auto result = held_out(run_dir, {"--compute-threads", "1"});
  CHECK(result["samples"] == 18);
  const double then = std::stod(metrics(run_dir).back().at("val_loss"));
  CHECK(result["loss"].get<double>() == Approx(then).epsilon(1e-6));
  CHECK(held_out(run_dir, {"--compute-threads", "1"})["loss"] == result["loss"]);
}
