// Run directories of several processes, and those that lie within the data that runs are trained
// on.

#include "apps/train_run.h"

#include <signal.h>
#include <algorithm>
#include <future>
#include <thread>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> all;
  for (const auto& entry : fs::directory_iterator(folder)) all.push_back(entry.path());
  std::ranges::sort(all);
  return all;
}

/// Stops a program where it is, all threads of it.
void stop(pid_t program) {
  const auto is_stopped = [](const fs::path& thread) {
    std::ifstream status(thread / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.rfind("State:", 0) == 0) return line.find('T') != std::string::npos;
    }
    return false;
  };
  ::kill(program, SIGSTOP);
  for (bool are_all = false; !are_all; std::this_thread::yield()) {
    const std::vector<fs::path> threads = folders_in(concat("/proc/", program, "/task"));
    are_all = std::ranges::all_of(threads, is_stopped);
  }
}

/// One that is told in one line, and leaves the run as it is.
void check_refused(const Arguments& arguments, const fs::path& run_dir) {
  const auto before = read_file(run_dir / "metrics.csv");
  const Outcome outcome = run(arguments);
  INFO(outcome.err);
  CHECK(outcome.status == 1);
  CHECK(Outcome::lines(outcome.err).size() == 1);
  CHECK_THAT(outcome.err, Contains("another process is writing this run"));
  CHECK(read_file(run_dir / "metrics.csv") == before);
}

}  // namespace

TEST_CASE("a run has one writer at a time, and another one once that has died in whatever way") {
  const int end = GENERATE(SIGKILL, SIGTERM);
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "run";
  const Arguments into =
      with({"train", data.string(), "--run-dir", run_dir.string()}, quick_steps(3));
  const auto meanwhile = [&](pid_t program) {
    stop(program);  // so that it lives for as long as this takes
    check_refused({"train", "--resume", run_dir.string()}, run_dir);
    check_refused(into, run_dir);
    check_refused(with(into, {"--overwrite"}), run_dir);
    ::kill(program, end);
    ::kill(program, SIGCONT);
  };
  const Outcome first =
      train(data, run_dir, quick_steps(5000), {.steps = {{.at = "epoch 2/", .then = meanwhile}}});
  CHECK(first.status == 128 + end);
  const std::size_t epochs = metrics(run_dir).size();
  const Outcome resumed =
      run({"train", "--resume", run_dir.string(), "--epochs", std::to_string(epochs + 1)});
  INFO(resumed.err);
  CHECK(resumed.status == 0);
  CHECK(run(with(into, {"--overwrite"})).status == 0);
  CHECK(metrics(run_dir).size() == 3);
}

TEST_CASE("runs that begin in one second have folders of their own") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 6);
  std::vector<std::future<Outcome>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::async(std::launch::async, [&] {
      return run(with({"train", data.string()}, quick_steps(1)), {.directory = scratch.path()});
    }));
  }
  for (auto& one : all) {
    const Outcome outcome = one.get();
    INFO(outcome.err);
    CHECK(outcome.status == 0);
  }
  const std::vector<fs::path> runs = folders_in(scratch / "runs");
  CHECK(runs.size() == 3);
  for (const fs::path& one : runs) CHECK(metrics(one).size() == 1);
}

TEST_CASE("a run without a name that cannot begin leaves no folder behind") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 6);
  const Outcome outcome =
      run(with({"train", data.string(), "--memory-budget", "20KiB"}, quick_steps(1)),
          {.directory = scratch.path()});
  INFO(outcome.err);
  CHECK(outcome.status == 1);
  CHECK_FALSE(fs::exists(scratch / "runs"));
}

TEST_CASE("a data set that training writes its runs into stays what it was") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  const RunOptions there{.directory = data};
  const auto succeeds = [&](const Arguments& arguments) {
    const Outcome outcome = run(arguments, there);
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return outcome.out;
  };
  // The sheet of samples is an image, in a folder that is no class.
  const Arguments into_runs = with({"train", "."}, quick_steps(1, {"--show-augmented", "4"}));
  CHECK_THAT(succeeds(into_runs), Contains("20 images in 2 classes"));
  CHECK_THAT(succeeds(into_runs), Contains("20 images in 2 classes"));
  const std::vector<fs::path> runs = folders_in(data / "runs");
  REQUIRE(runs.size() == 2);
  CHECK(fs::exists(runs[0] / "augmented.png"));
  CHECK_THAT(succeeds(with(into_runs, {"--run-dir", "mine"})), Contains("left out 2: 2 run dir"));
  const std::string one = fs::relative(runs[0], data).string();
  CHECK_THAT(succeeds({"train", "--resume", one, "--epochs", "2"}),
             Contains("resumes    after step"));
  CHECK(metrics(runs[0]).size() == 2);
  CHECK_THAT(succeeds({"evaluate", one, "."}), Contains("samples   20\n"));
  CHECK_THAT(succeeds({"evaluate", one, ".", "--held-out"}), Contains("samples   4\n"));
  CHECK_THAT(succeeds({"inspect", "data", "."}), Contains("2 classes"));
  const std::vector<std::string> predicted = Outcome::lines(succeeds({"predict", one, "."}));
  CHECK(std::ranges::none_of(predicted, [](const std::string& line) {
    return line.find("augmented.png") != std::string::npos;
  }));
}

TEST_CASE("what cannot be written is found before an old run is replaced") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "run", quick_steps(1));
  const auto model = read_file(scratch / "run/model.safetensors");
  const auto refused = [&](const std::string& csv, int status, const std::string& why) {
    const Outcome outcome =
        train(data, scratch / "run", quick_steps(1, {"--overwrite", "--csv-log", csv}));
    CHECK(outcome.status == status);
    CHECK_THAT(outcome.err, Contains(why));
    CHECK(read_file(scratch / "run/model.safetensors") == model);
  };
  refused((scratch / "nowhere/x.csv").string(), 1, "choose another --csv-log");
  refused((scratch / "run/config.ini").string(), 2, "the run writes that file itself");
  const Outcome own = train(
      data, scratch / "run",
      quick_steps(1, {"--overwrite", "--model", (scratch / "run/model.safetensors").string()}));
  CHECK(own.status == 2);
  CHECK_THAT(own.err, Contains("--overwrite would replace"));
}

TEST_CASE("a run in a folder of any name can be repeated and gone on with") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "da ta\n#\"x", {"dark", "light"}, 10);
  const fs::path run_dir = scratch / "new\nline ";
  trained(data, run_dir, quick_steps(1));
  const Outcome more = run({"train", "--resume", run_dir.string(), "--epochs", "2"});
  INFO(more.err);
  CHECK(more.status == 0);
  const Outcome again = run({"train", "--recipe", (run_dir / "config.ini").string(), "--run-dir",
                             (scratch / "again").string()});
  INFO(again.err);
  CHECK(again.status == 0);
}

TEST_CASE("a recipe cannot say which run is gone on with") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 10);
  trained(data, scratch / "run", quick_steps(1));
  const auto config = read_file(scratch / "run/config.ini");
  const fs::path recipe = scratch.write("r.ini", "resume = " + (scratch / "run").string() + "\n");
  const Outcome outcome =
      train(data, scratch / "other", quick_steps(2, {"--recipe", recipe.string()}));
  CHECK(outcome.status == 2);
  CHECK_THAT(outcome.err, Contains("line 1: 'resume' is for the command line only"));
  CHECK(read_file(scratch / "run/config.ini") == config);
  const Outcome useless =
      run({"train", "--resume", (scratch / "run").string(), "--show-augmented", "4"});
  CHECK(useless.status == 2);
  CHECK_THAT(useless.err, Contains("--show-augmented has no effect with --resume"));
}
