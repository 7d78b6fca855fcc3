#pragma once
// A pseudo terminal for the program to write to: RunOptions::terminal.

#include <millrace/core/error.h>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

namespace millrace::test {

/// Thread safety: none.
class Terminal {
 public:
  explicit Terminal(int columns) {
    master_ = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master_ < 0 || ::grantpt(master_) != 0 || ::unlockpt(master_) != 0) {
      throw Error("no pseudo terminal");
    }
    resize(columns);
    slave_ = open_slave();
  }
  ~Terminal() {
    close_slave();
    hang_up();
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Where what is written to the terminal can be read; -1 once it is gone.
  [[nodiscard]] int reader() const noexcept { return master_; }
  /// The program's end; -1 once it was closed here.
  [[nodiscard]] int slave() const noexcept { return slave_; }
  void close_slave() {
    if (slave_ >= 0) ::close(std::exchange(slave_, -1));
  }

  void resize(int columns) {
    winsize size{};
    size.ws_row = 50;
    size.ws_col = static_cast<unsigned short>(columns);
    if (::ioctl(master_, TIOCSWINSZ, &size) != 0) throw Error("the terminal keeps its size");
  }
  /// Writes as the program would, behind what it has written so far.
  void write(const std::string& text) {
    const int slave = open_slave();
    const ssize_t count = ::write(slave, text.data(), text.size());
    ::close(slave);
    if (count != static_cast<ssize_t>(text.size())) throw Error("the terminal takes no text");
  }
  /// Takes the terminal away, as when its window is closed.
  void hang_up() {
    if (master_ >= 0) ::close(std::exchange(master_, -1));
  }

 private:
  [[nodiscard]] int open_slave() const {
    const int slave = ::open(::ptsname(master_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0) throw Error("no end of the pseudo terminal");
    return slave;
  }

  int master_ = -1, slave_ = -1;
};

}  // namespace millrace::test
