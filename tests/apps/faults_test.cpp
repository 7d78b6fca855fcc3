// What the program keeps under faults and bad luck: signals at any moment, a reader that never
// returns, a full disk; and that the number of threads does not show in what was learned.

#include "apps/pseudo_terminal.h"
#include "apps/train_failure.h"
#include "apps/train_run.h"

#include <millrace/core/random.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <chrono>
#include <span>
#include <thread>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;

namespace {

/// Files that were begun and not finished.
std::vector<std::string> partial_files(const fs::path& folder) {
  std::vector<std::string> found;
  if (!fs::exists(folder)) return found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const fs::path& path = entry.path();
    if (path.filename().string().front() == '.' || path.extension() == ".partial") {
      found.push_back(path.string());
    }
  }
  return found;
}

/// Puts a pipe in the place of a file, and gives an end of it to write: whoever reads the pipe
/// waits until something is written, or the end is closed.
int replace_by_pipe(const fs::path& file) {
  const fs::path pipe = file.string() + ".pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0666) == 0);
  const int end = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);  // waits for no reader
  REQUIRE(end >= 0);
  fs::rename(pipe, file);
  return end;
}

/// Writes into a pipe, and waits until the program has read it, which must not end before.
void write_and_wait(int end, std::span<const std::byte> bytes, pid_t program) {
  CHECK(::write(end, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  for (int left = 1;; std::this_thread::yield()) {
    const bool is_late = std::chrono::steady_clock::now() > deadline;
    siginfo_t ended{};  // asked for first: what it read before its end is read
    ::waitid(P_PID, static_cast<id_t>(program), &ended, WEXITED | WNOHANG | WNOWAIT);
    REQUIRE(::ioctl(end, FIONREAD, &left) == 0);
    if (left == 0) return;
    if (!is_late && ended.si_pid == 0) continue;
    ::kill(program, SIGKILL);
    FAIL((is_late ? "the program does not read the pipe" : "the program ended without reading"));
  }
}

/// Puts a file in the place of the pipe, for whoever opens it from now on.
void replace_by_file(const fs::path& pipe, std::span<const std::byte> content) {
  const fs::path file = pipe.string() + ".file";
  write_file(file, content);
  fs::rename(file, pipe);
}

Arguments with_checkpoints(const fs::path& validation) {
  return {"--validation",
          validation.string(),
          "--model",
          "mlp:16",
          "--epochs",
          "4",
          "--batch",
          "4",
          "--size",
          "16",
          "--checkpoint-every",
          "1",
          "--seed",
          "5",
          "--metrics",
          "f1"};
}

}  // namespace

TEST_CASE("a reader that never returns is told with its stage and file, and two signals end it") {
  const int signal = GENERATE(SIGINT, SIGTERM);
  const bool is_hung_up = GENERATE(false, true);  // before: another SIGHUP is no second signal
  const bool is_on_terminal = GENERATE(false, true);
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 8);
  const fs::path file = data / "light" / "3.png";
  int end = -1;
  Terminal terminal(80);
  const RunOptions options{.environment = {{"TERM", "xterm"}, {"CI", ""}},
                           .steps = {{"epoch 1/", [&](pid_t) { end = replace_by_pipe(file); }},
                                     {concat('(', file.string(), ") for"),
                                      [&](pid_t program) {
                                        // The first asks; the reader does not hear.
                                        send_signal(program, is_hung_up ? SIGHUP : signal);
                                        if (is_hung_up) send_signal(program, SIGHUP);
                                        send_signal(program, signal);
                                      }}},
                           .terminal = is_on_terminal ? &terminal : nullptr};
  const Outcome outcome =
      train(data, scratch / "run",
            {"--validation-share", "0", "--epochs", "1000000", "--stall-timeout", "0.5"}, options);
  ::close(end);
  CHECK(outcome.status == 128 + signal);
  CHECK(outcome.out.ends_with("\r\033[J") == is_on_terminal);  // no half of a line for the prompt
  CHECK_THAT(outcome.err,
             Contains("millrace: nothing has moved for 0.5 s: stage 'decode' has worked "
                      "on item ") &&
                 Contains(concat('(', file.string(), ") for")));
  CHECK(partial_files(scratch / "run").empty());
}

TEST_CASE("a signal while a file is read stops the run once it is read") {
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
  const std::string phase = GENERATE("training", "validation");
  const Scratch scratch;
  const fs::path training = write_classes(scratch / "training", {"dark", "light"}, 8);
  const fs::path validation = write_classes(scratch / "validation", {"dark", "light"}, 2);
  const fs::path file = (phase == "training" ? training : validation) / "light" / "1.png";
  const std::vector<std::byte> image = read_file(file);
  const auto meet = [&](pid_t program) {
    const int end = replace_by_pipe(file);
    const std::span<const std::byte> bytes(image);
    write_and_wait(end, bytes.first(1), program);
    replace_by_file(file, image);  // on a loaded machine another pass may begin before it stops
    send_signal(program, signal);
    write_and_wait(end, bytes.subspan(1), program);
    ::close(end);
  };
  const Outcome outcome =
      train(training, scratch / "run",
            {"--validation", validation.string(), "--epochs", "1000000", "--batch", "4"},
            {.steps = {{"epoch 1/", meet}}});
  CHECK(outcome.status == 128 + signal);
  CHECK_THAT(outcome.err, Contains("stopped by a signal after step"));
  CHECK(fs::exists(scratch / "run" / "model.safetensors"));
  CHECK(partial_files(scratch / "run").empty());
}

namespace {

// So many runs that each kind of fit is a test of its own, with a time limit of its own.
void check_signals_at_any_moment(const Arguments& more) {
  const int signal = GENERATE(SIGINT, SIGTERM);
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 30);
  const fs::path validation = write_classes(scratch / "validation", {"dark", "grey", "light"}, 5);
  Arguments options = with_checkpoints(validation);
  options.insert(options.end(), more.begin(), more.end());
  const auto begin = std::chrono::steady_clock::now();
  trained(data, scratch / "whole", options);
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  Random random(3, 0, static_cast<std::uint64_t>(signal), Purpose::user);
  auto longest = static_cast<std::uint64_t>(whole.count());
  int stopped = 0;
  for (int i = 0; stopped < 8; ++i) {
    const fs::path run_dir = scratch / concat("run", i);
    const auto at = 1 + static_cast<std::int64_t>(random.below(longest));
    const Outcome outcome =
        train(data, run_dir, options, {.kill_after_us = at, .kill_signal = signal});
    INFO("after " << at << " us of " << whole.count() << ": " << outcome.err);
    CHECK((outcome.status == 0 || outcome.status == 128 + signal));
    CHECK(partial_files(run_dir).empty());
    if (outcome.status != 0) {
      ++stopped;
    } else {  // too late; the first run may have had less of the machine than this one
      longest = std::max<std::uint64_t>(1000, longest * 4 / 5);
    }
  }
}

}  // namespace

TEST_CASE("a signal at any moment ends with its status and leaves no partial file") {
  check_signals_at_any_moment({});
}

TEST_CASE("a signal while means are fitted ends with its status and leaves no partial file") {
  check_signals_at_any_moment({"--featurewise-center"});
}

TEST_CASE("a signal while whitening is fitted ends with its status and leaves no partial file") {
  check_signals_at_any_moment({"--zca"});
}

TEST_CASE("a signal at any moment of a replay ends with its status") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 40);
  const Arguments options = {"--model", "mlp:16", "--epochs", "40",
                             "--batch", "4",      "--replay", "8"};
  for (std::int64_t at = 5'000; at < 120'000; at += 10'000) {
    const fs::path run_dir = scratch / concat("run", at);
    const Outcome outcome =
        train(data, run_dir, options, {.kill_after_us = at, .kill_signal = SIGTERM});
    INFO("after " << at << " us: " << outcome.err);
    CHECK((outcome.status == 0 || outcome.status == 128 + SIGTERM));
    CHECK(partial_files(run_dir).empty());
  }
}

TEST_CASE("a disk that is full ends the run with the name of the file, and no partial file") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "light"}, 8);
  const Arguments options = {"--model", "mlp:64", "--epochs", "2", "--batch", "4"};
  const fs::path run_dir = scratch / "run";
  // The model has 196 kB; what is smaller still fits.
  const Outcome outcome = train(data, run_dir, options, {.file_size_limit = 100'000});
  CHECK(outcome.status == 1);
  check_one_line(outcome);
  CHECK_THAT(outcome.err,
             Contains(run_dir.string()) && Contains("cannot be written: File too large"));
  CHECK(partial_files(run_dir).empty());
  CHECK_FALSE(fs::exists(run_dir / "model.safetensors"));

  Arguments logging = options;
  logging.insert(logging.end(), {"--csv-log", "/dev/full"});
  const Outcome full = train(data, scratch / "logged", logging);
  CHECK(full.status == 1);
  check_one_line(full);
  CHECK_THAT(full.err, Contains("/dev/full: ") && Contains("No space left on device"));
  CHECK(partial_files(scratch / "logged").empty());
}

TEST_CASE("the same seed trains the same weights to the bit for any number of threads") {
  const Scratch scratch;
  const fs::path data = write_classes(scratch / "data", {"dark", "grey", "light"}, 30);
  const auto weights = [&](const std::string& threads) {
    const fs::path run_dir = scratch / concat("run", threads);
    const Outcome outcome = run({"train", data.string(), "--run-dir", run_dir.string(), "--threads",
                                 threads, "--compute-threads", "1", "--epochs", "3", "--batch", "8",
                                 "--rotation-range", "20", "--flip", "--zca"});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    return read_file(run_dir / "model.safetensors");
  };
  const std::vector<std::byte> one = weights("1");
  CHECK(weights("2") == one);
  CHECK(weights("8") == one);
}
