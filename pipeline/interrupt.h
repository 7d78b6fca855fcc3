#pragma once
// Ctrl-C, SIGTERM and SIGHUP as a stop token, for programs. Nothing in the library installs signal
// handlers by itself.

#include <memory>
#include <stop_token>

namespace millrace {

/// While it lives, the first SIGINT, SIGTERM or SIGHUP requests a stop, and a second one ends the
/// process at once with 128 + signal. A SIGHUP that is not the first changes nothing, since it is
/// no second request: when a terminal closes, the shell and the system each send one. Where
/// SIGHUP was ignored (nohup), it stays so. One at a time in a process (checked).
class Interrupt {
 public:
  /// `last_words` are written to standard output where a second signal ends the process, and must
  /// outlive this: what takes a half-drawn line off a terminal.
  explicit Interrupt(const char* last_words = "");
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  [[nodiscard]] std::stop_token token() const noexcept { return stop_.get_token(); }
  /// The signal that came, or 0.
  [[nodiscard]] int signal() const noexcept;
  /// The exit status for it: 129 for SIGHUP, 130 for SIGINT, 143 for SIGTERM; 0 if none came.
  [[nodiscard]] int exit_status() const noexcept { return signal() == 0 ? 0 : 128 + signal(); }

 private:
  struct Watcher;
  std::stop_source stop_;
  std::unique_ptr<Watcher> watcher_;
};

}  // namespace millrace
