// What reaches the disk, and in which order. fsync() and rename() of this program are replaced by
// functions that note the call, can be told to fail, and ask the system otherwise.

#include <millrace/io/checkpoint.h>

#include "catch.h"
#include "io/scratch.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <csignal>
#include <cstdio>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

struct Calls {
  bool noted = false;
  int fsync_error = 0;
  std::vector<std::string> names{};
};
Calls calls;

// Notes the calls from here to the end of a scope.
class Noting {
 public:
  explicit Noting(int fsync_error = 0) { calls = {true, fsync_error}; }
  ~Noting() { calls = {}; }
  Noting(const Noting&) = delete;
  Noting& operator=(const Noting&) = delete;
};

Checkpoint state_of_step(std::uint64_t step) {
  Checkpoint state;
  state.set("step", step);
  state.arrays["parameters"].assign(100'000, static_cast<float>(step));
  return state;
}

std::ptrdiff_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

// In a child, whose files may not grow beyond 100 kB: false if the write did not fail as it should.
bool fails_beyond_limit(const fs::path& path, const Checkpoint& state) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{100'000, 100'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string error = error_of([&] { write_checkpoint(path, state); });
    ::_exit(error == path.string() + ": cannot be written: File too large" ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

extern "C" int fsync(int descriptor) {
  if (calls.noted) {
    struct stat status {};
    ::fstat(descriptor, &status);
    calls.names.emplace_back(concat("fsync ", S_ISDIR(status.st_mode) ? "folder" : "file"));
    if (calls.fsync_error != 0) {
      errno = calls.fsync_error;
      return -1;
    }
  }
  return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

extern "C" int rename(const char* from, const char* to) noexcept {
  if (calls.noted) calls.names.emplace_back("rename");
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}

TEST_CASE("a checkpoint is on the disk before it has its name, and its name is flushed too") {
  const Scratch scratch;
  const Noting noting;
  write_checkpoint(scratch / "a.ckpt", state_of_step(1));
  CHECK(calls.names == std::vector<std::string>{"fsync file", "rename", "fsync folder"});
}

TEST_CASE("a full disk leaves the old checkpoint and nothing else") {
  const Scratch scratch;
  write_checkpoint(scratch / "a.ckpt", state_of_step(1));
  {
    const Noting noting(ENOSPC);  // where file systems with delayed allocation say it
    CHECK_THROWS_WITH(
        write_checkpoint(scratch / "a.ckpt", state_of_step(2)),
        (scratch / "a.ckpt").string() + ": cannot be written: No space left on device");
    CHECK(calls.names == std::vector<std::string>{"fsync file"});
  }
  CHECK(read_checkpoint(scratch / "a.ckpt").get<int>("step") == 1);
  CHECK(entries(scratch.path()) == 1);
}

TEST_CASE("a write error in the middle leaves the old checkpoint and nothing else") {
  const Scratch scratch;
  write_checkpoint(scratch / "a.ckpt", state_of_step(1));
  CHECK(fails_beyond_limit(scratch / "a.ckpt", state_of_step(2)));
  CHECK(read_checkpoint(scratch / "a.ckpt").get<int>("step") == 1);
  CHECK(entries(scratch.path()) == 1);
}
