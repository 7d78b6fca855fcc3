#include <millrace/io/file_lock.h>

#include "catch.h"
#include "io/scratch.h"

#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <optional>

using namespace millrace;
using namespace millrace::test;
using State = FileLock::State;

namespace {

int error_of_flock = 0;  // 0: the kernel's own

}  // namespace

/// In place of the C library's, so that a file system can be one without locks.
extern "C" int flock(int descriptor, int operation) noexcept {
  if (error_of_flock == 0) return static_cast<int>(::syscall(SYS_flock, descriptor, operation));
  errno = error_of_flock;
  return -1;
}

TEST_CASE("a file's lock has one owner, and another one once that is gone") {
  const Scratch scratch;
  std::optional<FileLock> first(scratch / "lock");
  CHECK(first->state() == State::held);
  CHECK(FileLock(scratch / "lock").state() == State::taken);
  std::optional<FileLock> moved(std::move(*first));
  first.reset();
  CHECK(moved->state() == State::held);
  CHECK(FileLock(scratch / "lock").state() == State::taken);
  moved.reset();
  CHECK(FileLock(scratch / "lock").state() == State::held);
  CHECK(text_of(scratch / "lock").empty());
}

TEST_CASE("a process that was killed has no lock any more") {
  const Scratch scratch;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const FileLock lock(scratch / "lock");
    const char state = lock.state() == State::held ? 'h' : '?';
    [[maybe_unused]] const auto written = ::write(ready[1], &state, 1);
    for (;;) ::pause();
  }
  char state = 0;
  REQUIRE(::read(ready[0], &state, 1) == 1);
  CHECK(state == 'h');
  CHECK(FileLock(scratch / "lock").state() == State::taken);
  REQUIRE(::kill(child, SIGKILL) == 0);
  REQUIRE(::waitpid(child, nullptr, 0) == child);
  CHECK(FileLock(scratch / "lock").state() == State::held);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("a file system without locks is told from a lock that is taken") {
  const Scratch scratch;
  error_of_flock = GENERATE(ENOLCK, EOPNOTSUPP, ENOSYS, EINVAL);
  const State state = FileLock(scratch / "lock").state();
  error_of_flock = 0;
  CHECK(state == State::none);
}

TEST_CASE("a lock's file that cannot be written is named") {
  const Scratch scratch;
  CHECK_THROWS_WITH(FileLock(scratch / "nowhere/lock"),
                    Catch::Contains("nowhere/lock: cannot be written: No such file"));
}
