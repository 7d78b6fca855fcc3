#include "apps/run_program.h"

#include "apps/pseudo_terminal.h"

#include <millrace/core/error.h>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <thread>
#include <utility>

extern char** environ;

namespace millrace::test {
namespace {

constexpr int kNotStarted = 127;
constexpr uid_t kNobody = 65534;

/// Both ends of a pipe.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw Error("no pipe");
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  [[nodiscard]] int reader() const noexcept { return ends_[0]; }
  [[nodiscard]] int writer() const noexcept { return ends_[1]; }
  void close_end(std::size_t end) noexcept {
    if (ends_[end] >= 0) ::close(std::exchange(ends_[end], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// Appends what is there. Returns false at the end, which of a terminal is an error.
bool read_into(std::string& text, int file) {
  std::array<char, 4096> part{};
  const ssize_t count = ::read(file, part.data(), part.size());
  if (count > 0) text.append(part.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && errno == EINTR);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::vector<std::string> environment_of(const RunOptions& options) {
  std::map<std::string, std::string> added = options.environment;
  added.try_emplace("XDG_CACHE_HOME", MILLRACE_SCRATCH "/cache");  // not that of who runs the tests
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (added.count(text.substr(0, text.find('='))) == 0) all.push_back(text);
  }
  for (const auto& [name, value] : added) all.push_back(concat(name, '=', value));
  return all;
}

/// Between fork() and the program, SIGINT must not reach the handler of the tests.
void set_interrupts(int how) {
  sigset_t interrupts;
  ::sigemptyset(&interrupts);
  ::sigaddset(&interrupts, SIGINT);
  ::pthread_sigmask(how, &interrupts, nullptr);
}

/// In the child: becomes the program or ends.
[[noreturn]] void become_program(char* const* arguments, char* const* environment,
                                 const RunOptions& options, int out, int err) {
  if (options.terminal != nullptr) {
    ::setsid();
    ::ioctl(out, TIOCSCTTY, 0);
  }
  ::dup2(out, STDOUT_FILENO);
  ::dup2(err, STDERR_FILENO);
  ::signal(SIGHUP, options.ignores_hangup ? SIG_IGN : SIG_DFL);
  ::signal(SIGINT, SIG_DFL);
  set_interrupts(SIG_UNBLOCK);
  if (options.file_size_limit > 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const auto most = static_cast<rlim_t>(options.file_size_limit);
    const rlimit limit{most, most};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  const bool is_there = options.directory.empty() || ::chdir(options.directory.c_str()) == 0;
  const bool drops = options.drop_privileges && ::geteuid() == 0;
  const bool is_dropped =
      !drops || (::setgroups(0, nullptr) == 0 && ::setgid(kNobody) == 0 && ::setuid(kNobody) == 0);
  if (is_there && is_dropped) ::execve(arguments[0], arguments, environment);
  ::_exit(kNotStarted);
}

/// Collects both streams until they end, and sends the signal when its time has come.
void collect(pid_t child, int out, int err, const RunOptions& options, Outcome& outcome) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::seconds(options.timeout_s);
  bool signal_sent = options.signal == 0;
  std::array<pollfd, 2> streams{{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  const auto begins_to_count = [&options] {
    return Clock::now() + std::chrono::microseconds(options.kill_after_us);
  };
  auto kill_at = options.kill_at.empty() ? begins_to_count() : Clock::time_point::max();
  bool kill_sent = options.kill_after_us == 0;
  std::size_t steps_done = 0;
  while (streams[0].fd >= 0 || streams[1].fd >= 0) {
    const auto until = kill_sent ? deadline : std::min<Clock::time_point>(deadline, kill_at);
    const auto left = until - Clock::now();
    if (!kill_sent && left.count() <= 0) {
      ::kill(child, options.kill_signal);
      kill_sent = true;
      continue;
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const timespec wait{seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
    const bool is_late =
        left.count() <= 0 || ::ppoll(streams.data(), streams.size(), &wait, nullptr) == 0;
    if (is_late && !kill_sent) continue;
    if (is_late) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      throw Error(
          concat("the program did not end in time; it printed: ", outcome.out, outcome.err));
    }
    if (streams[0].revents != 0 && !read_into(outcome.out, out)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !read_into(outcome.err, err)) streams[1].fd = -1;
    const auto has_come = [&outcome](const RunOptions::Step& step) {
      if (step.when) return step.when(outcome.out);
      return (outcome.out + outcome.err).find(step.at) != std::string::npos;
    };
    while (steps_done < options.steps.size() && has_come(options.steps[steps_done])) {
      options.steps[steps_done++].then(child);
    }
    if (options.terminal != nullptr && options.terminal->reader() < 0) streams[0].fd = -1;
    if (kill_at == Clock::time_point::max() &&
        (outcome.out + outcome.err).find(options.kill_at) != std::string::npos) {
      kill_at = begins_to_count();
    }
    const bool is_time = (outcome.out + outcome.err).find(options.signal_at) != std::string::npos;
    if (!signal_sent && is_time) {
      for (int i = 0; i < options.signals; ++i) ::kill(child, options.signal);
      signal_sent = true;
    }
  }
}

/// Throws Error if the text has a one with the word for several, as in "1 samples".
void check_plurals(const std::string& text) {
  constexpr std::array kWords = {"batches", "classes", "columns", "epochs",  "features", "files",
                                 "figures", "images",  "numbers", "outputs", "rows",     "samples",
                                 "shards",  "steps",   "targets", "times"};
  for (std::size_t at = text.find("1 "); at != std::string::npos; at = text.find("1 ", at + 1)) {
    const bool is_one = at == 0 || std::strchr(" \t\n(", text[at - 1]) != nullptr;
    for (const std::string_view word : kWords) {
      const std::size_t end = at + 2 + word.size();
      const bool is_word =  // "1 images/s" is a speed
          end >= text.size() || std::strchr(" \t\r\n.,:;)'", text[end]) != nullptr;
      if (is_one && is_word && text.compare(at + 2, word.size(), word) == 0) {
        throw Error(concat("the program printed '1 ", word, "' in: ", text));
      }
    }
  }
}

}  // namespace

std::vector<std::string> Outcome::lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

void send_signal(pid_t program, int number) {
  ::kill(program, number);
  for (bool is_pending = true; is_pending; std::this_thread::yield()) {
    std::ifstream status(concat("/proc/", program, "/status"));
    is_pending = false;
    for (std::string line; std::getline(status, line);) {
      const bool is_set = line.rfind("SigPnd:", 0) == 0 || line.rfind("ShdPnd:", 0) == 0;
      if (is_set && line.find_first_not_of("0 \t", 7) != std::string::npos) is_pending = true;
    }
  }
}

Outcome run(const std::vector<std::string>& arguments, const RunOptions& options) {
  // In a package the name is relative to where the tests run, and the program may run elsewhere.
  std::vector<std::string> words{std::filesystem::absolute(MILLRACE_PROGRAM).string()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> variables = environment_of(options);
  const std::vector<char*> argv = pointers(words);
  const std::vector<char*> envp = pointers(variables);
  Pipe out, err;
  set_interrupts(SIG_BLOCK);
  const pid_t child = ::fork();
  if (child != 0) set_interrupts(SIG_UNBLOCK);
  if (child < 0) throw Error("cannot fork");
  Terminal* const terminal = options.terminal;
  if (child == 0) {
    become_program(argv.data(), envp.data(), options,
                   terminal == nullptr ? out.writer() : terminal->slave(), err.writer());
  }
  out.close_end(1);
  err.close_end(1);
  if (terminal != nullptr) terminal->close_slave();
  Outcome outcome;
  collect(child, terminal == nullptr ? out.reader() : terminal->reader(), err.reader(), options,
          outcome);
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  outcome.peak_kib = usage.ru_maxrss;  // KiB on Linux
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (outcome.status == kNotStarted) throw Error("cannot start " MILLRACE_PROGRAM);
  check_plurals(outcome.out);
  check_plurals(outcome.err);
  return outcome;
}

}  // namespace millrace::test
