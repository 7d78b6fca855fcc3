// Runs that an older program left on disk (older_runs.h) are gone on with, and come to what they
// came to then.

#include "apps/older_runs.h"
#include "apps/known_model.h"

#include <array>
#include <cmath>
#include <map>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

std::string line_with(const std::string& text, const std::string& part) {
  for (const std::string& line : Outcome::lines(text)) {
    if (holds(line, part)) return line;
  }
  return {};
}

/// The arguments with which a run is gone on with. DATA and files that the run names by where they
/// were then are named by where they are now.
Arguments resuming(const std::string& name, const fs::path& run_dir) {
  Arguments arguments = {"train", "--resume", run_dir.string()};
  const auto add = [&](const Arguments& more) {
    arguments.insert(arguments.end(), more.begin(), more.end());
  };
  if (name == "convnet" || name == "frozen") {
    add({(recorded() / "pictures").string(), "--model", (recorded() / "convnet.json").string()});
  }
  if (name == "frozen") {
    add({"--weights", (recorded() / "convnet" / "model.safetensors").string()});
  }
  return arguments;
}

std::vector<fs::path> checkpoints_of(const fs::path& run_dir) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(run_dir / "checkpoints")) {
    if (entry.path().filename().string().rfind("step-", 0) == 0) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

/// A copy of a run as if it had been killed behind one of its checkpoints.
void copy_cut_back(const fs::path& run, const fs::path& to, std::size_t last) {
  fs::copy(run, to, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  const std::vector<fs::path> files = checkpoints_of(to);
  for (std::size_t i = last + 1; i < files.size(); ++i) fs::remove(files[i]);
  if (!fs::exists(to / "checkpoints/best.ckpt")) {  // the best came later
    fs::remove(to / "checkpoints/best.ckpt");
    fs::remove(to / "best.safetensors");
  }
  fs::remove(to / "model.safetensors");
  fs::remove(to / "metrics.csv");
}

/// Other roundings grow from step to step: other instruction sets were seen to end within 0.006 of
/// these losses. A share of the few samples can change by a sample or two.
void check_close(const std::vector<Row>& rows, const std::vector<Row>& expected) {
  constexpr double kLoss = 0.05, kShare = 0.15;
  REQUIRE(!rows.empty());
  for (std::size_t i = 0; i < std::min(rows.size(), expected.size()); ++i) {
    for (const auto& [name, value] : expected[i]) {
      INFO("epoch " << i + 1 << ", " << name);
      CHECK(std::abs(std::stod(rows[i].at(name)) - std::stod(value)) <=
            (holds(name, "loss") ? kLoss : kShare));
    }
  }
}

}  // namespace

TEST_CASE("runs of an older program are gone on with, and end as they ended then") {
  const std::string name = GENERATE("dense", "pruned", "convnet", "frozen");
  CAPTURE(name);
  const Scratch scratch;
  const fs::path then = recorded() / name;
  const std::vector<fs::path> checkpoints = checkpoints_of(then);
  REQUIRE(checkpoints.size() >= 3);
  for (std::size_t i = 0; i + 1 < checkpoints.size(); ++i) {
    INFO("from " << checkpoints[i].filename());
    const fs::path now = scratch / (name + std::to_string(i));
    copy_cut_back(then, now, i);
    const Outcome outcome = run(resuming(name, now), as_recorded(scratch));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    const std::string step = checkpoints[i].stem().string().substr(5);
    CHECK_THAT(outcome.out, Contains("resumes    after step " + std::to_string(std::stoi(step))));
    if (repeats_to_the_bit(line_with(outcome.out, "device ")) && !has_batch_norm(name)) {
      CHECK(read_file(now / "model.safetensors") == read_file(then / "model.safetensors"));
      CHECK(read_file(now / "best.safetensors") == read_file(then / "best.safetensors"));
      CHECK(figures(now) == figures(then));
    } else {
      CHECK(fs::file_size(now / "model.safetensors") == fs::file_size(then / "model.safetensors"));
      check_close(figures(now), figures(then));
    }
  }
}

TEST_CASE("a run of an older program needs neither the file of its model nor that of its weights") {
  const std::string name = GENERATE("convnet", "frozen");
  CAPTURE(name);
  const Scratch scratch;
  const fs::path with_files = scratch / "with-files", without = scratch / "without";
  for (const fs::path& now : {with_files, without}) {
    copy_cut_back(recorded() / name, now, 0);
    Arguments arguments = resuming(name, now);
    if (now == without) {
      arguments.resize(4);  // up to DATA
      // Ways that the older program did not know are timed once: times are never the same twice.
      fs::copy_file(with_files / "algorithms.json", now / "algorithms.json",
                    fs::copy_options::overwrite_existing);
    }
    const Outcome outcome = run(arguments, as_recorded(scratch));
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
  }
  for (const char* file : {"model.safetensors", "best.safetensors"}) {
    CHECK(read_file(without / file) == read_file(with_files / file));
  }
  CHECK(figures(without) == figures(with_files));
}

TEST_CASE("a run of an older program that goes on with another monitor begins its best anew") {
  const Scratch scratch;
  const fs::path now = scratch / "dense";
  copy_cut_back(recorded() / "dense", now, 0);
  Arguments arguments = resuming("dense", now);
  arguments.insert(arguments.end(), {"--monitor", "accuracy"});
  const std::string told = "accuracy is watched from here on, not val_loss";
  // Also after it was killed before its first checkpoint, which leaves only its config.ini.
  std::map<fs::path, std::string> begun;
  for (const fs::path& file : checkpoints_of(now)) begun[file] = "";
  for (const int time : {1, 2}) {
    const Outcome outcome = run(arguments, as_recorded(scratch));
    INFO("time " << time << outcome.err);
    REQUIRE(outcome.status == 0);
    CHECK_THAT(outcome.out, Contains(told));
    for (const fs::path& file : checkpoints_of(now)) {
      if (begun.count(file) == 0) fs::remove(file);
    }
  }
}

TEST_CASE("a run that an older program finished is complete") {
  const std::string name = GENERATE("dense", "pruned", "convnet", "frozen");
  CAPTURE(name);
  const Scratch scratch;
  const fs::path now = scratch / name;
  fs::copy(recorded() / name, now, fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  fs::remove(now / "model.safetensors");  // written again from the last checkpoint
  const Outcome outcome = run(resuming(name, now), as_recorded(scratch));
  INFO(outcome.err);
  CHECK(outcome.status == 0);
  CHECK(read_file(now / "model.safetensors") == read_file(recorded() / name / "model.safetensors"));
  CHECK(figures(now) == figures(recorded() / name));
}
