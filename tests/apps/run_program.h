#pragma once
// Runs the program `millrace` as a user would: its own process, its own folder, its exit status and
// what it prints.
//
//   const Outcome outcome = run({"train", data.string(), "--epochs", "1"});
//   CHECK(outcome.status == 0);

#include <sys/types.h>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace millrace::test {

class Terminal;  // pseudo_terminal.h

struct RunOptions {
  std::filesystem::path directory{};  ///< where it runs; default: where the test runs
  std::map<std::string, std::string> environment{};  ///< added to that of the test
  /// As a user who may not write everywhere, where the test itself is root; otherwise nothing.
  bool drop_privileges = false;
  /// This signal is sent once the program has printed `signal_at` (on either stream).
  int signal = 0;
  std::string signal_at{};
  /// Once `signal_at` is seen, the signal is sent so many times.
  int signals = 1;
  /// And `kill_signal` so many microseconds after the program has printed `kill_at`; 0: not.
  std::int64_t kill_after_us = 0;
  std::string kill_at{};
  int kill_signal = SIGKILL;
  /// Done one after the other, each once the program has printed its text (on either stream).
  struct Step {
    std::string at;
    std::function<void(pid_t program)> then;
    /// In place of `at`, if given: whether the time has come, by standard output so far.
    std::function<bool(const std::string& out)> when{};
  };
  std::vector<Step> steps{};
  /// Where standard output goes, and the terminal of its session. Its `err` stays apart.
  Terminal* terminal = nullptr;
  bool ignores_hangup = false;  ///< as under nohup; otherwise SIGHUP is as it is by default
  /// Files cannot grow beyond so many bytes, as on a disk that is full; 0: as they like.
  std::int64_t file_size_limit = 0;
  /// The program is killed after this time and the run is an Error.
  int timeout_s = 120;
};

struct Outcome {
  int status = -1;  ///< exit status; 128 + signal if a signal ended it
  std::string out, err;
  /// The most memory that was resident at one time; at least that of the test, which it was before
  /// it became the program.
  std::int64_t peak_kib = 0;

  /// Lines of a stream, without their ends.
  [[nodiscard]] static std::vector<std::string> lines(const std::string& text);
};

/// Throws Error if the program cannot be started, ends too late or prints words as in "1 samples".
[[nodiscard]] Outcome run(const std::vector<std::string>& arguments,
                          const RunOptions& options = {});

/// Sends a signal and waits until the program has taken it, so that a second one is a second one.
void send_signal(pid_t program, int number);

}  // namespace millrace::test
