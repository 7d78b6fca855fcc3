#include <millrace/pipeline/interrupt.h>

#include <millrace/core/error.h>

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <thread>

namespace millrace {
namespace {

// A signal handler can reach only globals. The pipe wakes the watcher, which may do what a handler
// must not: run stop callbacks.
std::atomic<int> received{0};
std::atomic<int> wake_fd{-1};
std::atomic<const char*> farewell{""};
static_assert(std::atomic<int>::is_always_lock_free);
static_assert(std::atomic<const char*>::is_always_lock_free);

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};

[[noreturn]] void end_at_once(int number) {
  const char* const text = farewell.load();
  [[maybe_unused]] const auto written = write(STDOUT_FILENO, text, std::strlen(text));
  _exit(128 + number);
}

extern "C" void on_signal(int number) {
  const int saved = errno;
  int none = 0;
  if (!received.compare_exchange_strong(none, number)) {
    if (number != SIGHUP) end_at_once(number);
    errno = saved;
    return;
  }
  const char byte = 1;
  if (write(wake_fd.load(), &byte, 1) != 1) end_at_once(number);
  errno = saved;
}

}  // namespace

struct Interrupt::Watcher {
  std::array<int, 2> pipe_ends{-1, -1};
  std::thread thread;
  std::array<struct sigaction, kSignals.size()> old{};
};

Interrupt::Interrupt(const char* last_words) : watcher_(std::make_unique<Watcher>()) {
  Watcher& w = *watcher_;
  if (pipe(w.pipe_ends.data()) != 0) throw Error("interrupt: no file descriptors left");
  int none = -1;
  if (!wake_fd.compare_exchange_strong(none, w.pipe_ends[1])) {
    close(w.pipe_ends[0]);
    close(w.pipe_ends[1]);
    throw std::logic_error("interrupt: another Interrupt lives in this process");
  }
  received = 0;
  farewell = last_words;
  w.thread = std::thread([this, fd = w.pipe_ends[0]] {
    char byte = 0;
    while (read(fd, &byte, 1) < 0 && errno == EINTR) {
    }
    if (byte == 1) stop_.request_stop();
  });
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // what reads or writes meanwhile goes on
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &w.old[i]);
    const bool stays = kSignals[i] == SIGHUP && w.old[i].sa_handler == SIG_IGN;
    if (!stays) sigaction(kSignals[i], &action, nullptr);
  }
}

Interrupt::~Interrupt() {
  Watcher& w = *watcher_;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &w.old[i], nullptr);
  wake_fd = -1;
  close(w.pipe_ends[1]);  // the watcher reads the end of the pipe
  w.thread.join();
  close(w.pipe_ends[0]);
}

int Interrupt::signal() const noexcept {
  return received;
}

}  // namespace millrace
