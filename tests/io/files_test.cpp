#include <millrace/io/files.h>

#include "catch.h"
#include "io/scratch.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

std::ptrdiff_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

// Runs `body` in a child that is not root, so that permissions count; true if it returned true.
template <class Body>
bool holds_unprivileged(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0) {
      const passwd* const nobody = ::getpwnam("nobody");
      if (nobody == nullptr || ::seteuid(nobody->pw_uid) != 0) ::_exit(2);
    }
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a file is read whole into memory that is reused") {
  const Scratch scratch;
  const fs::path path = scratch.write("a.txt", "hello");
  const fs::path empty = scratch.write("empty", "");
  std::vector<std::byte> buffer(100, std::byte{7});
  const std::byte* const memory = buffer.data();
  read_file_into(path, buffer);
  CHECK(buffer.size() == 5);
  CHECK(buffer.data() == memory);
  CHECK(text_of(path) == "hello");
  CHECK(read_file(empty).empty());
}

TEST_CASE("a file that tells no size is read until it ends") {
  // The files of /proc say that they have no bytes.
  CHECK(text_of("/proc/self/status").find("Name:") != std::string::npos);
}

TEST_CASE("devices are refused, and what never ends at its bound") {
  std::vector<std::byte> buffer;
  CHECK_THROWS_WITH(read_file_into("/dev/zero", buffer), "/dev/zero: is a device, not a file");
  CHECK_THROWS_WITH(RandomAccessFile("/dev/zero"), "/dev/zero: is a device, not a file");
  const Scratch scratch;
  const fs::path pipe = scratch / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(read_file(pipe).empty());  // nobody writes
  const pid_t writer = ::fork();
  if (writer == 0) {
    ::signal(SIGPIPE, SIG_DFL);  // it is ended by that when nobody reads any more
    const int number = ::open(pipe.c_str(), O_WRONLY);
    const std::vector<char> zeros(65536);
    while (::write(number, zeros.data(), zeros.size()) > 0) {
    }
    ::_exit(0);
  }
  const int reader = ::open(pipe.c_str(), O_RDONLY);  // waits for the writer
  CHECK_THROWS_WITH(read_file_into(pipe, buffer, 1_MiB),
                    pipe.string() + ": has more to read, more than the 1 MiB that a file may be");
  CHECK(buffer.capacity() <= (1 << 20) + 1);
  ::close(reader);
  ::waitpid(writer, nullptr, 0);
}

TEST_CASE("the start of a file is read, or the reason told") {
  const Scratch scratch;
  const fs::path path = scratch.write("a", "hello");
  std::array<std::byte, 4> four{};
  std::array<std::byte, 9> nine{};
  std::error_code error;
  CHECK(read_start(path, four, error) == 4);
  CHECK_FALSE(error);
  CHECK(four[3] == std::byte{'l'});
  CHECK(read_start(path, nine, error) == 5);
  CHECK_FALSE(error);
  CHECK(read_start(scratch / "none", nine, error) == 0);
  CHECK(error == std::errc::no_such_file_or_directory);
  CHECK(read_start(scratch.path(), nine, error) == 0);
  CHECK(error == std::errc::is_a_directory);
}

TEST_CASE("errors of reading name the path and the reason") {
  const Scratch scratch;
  CHECK_THROWS_WITH(read_file(scratch / "none"),
                    (scratch / "none").string() + ": cannot be opened: No such file or directory");
  CHECK_THROWS_WITH(read_file(scratch.path()),
                    scratch.path().string() + ": cannot be read: Is a directory");
  const fs::path secret = scratch.write("secret", "x");
  fs::permissions(secret, fs::perms::none);
  fs::permissions(scratch.path(), fs::perms::all);
  CHECK(holds_unprivileged([&] {
    return error_of([&] { (void)read_file(secret); }) ==
           secret.string() + ": cannot be opened: Permission denied";
  }));
}

TEST_CASE("parts of a file are read from where they are, and not beyond its end") {
  const Scratch scratch;
  const RandomAccessFile file(scratch.write("digits", "0123456789"));
  CHECK(file.size() == 10);
  std::string part(3, ' ');
  file.read_at(4, std::as_writable_bytes(std::span(part)));
  CHECK(part == "456");
  CHECK_THROWS_WITH(file.read_at(8, std::as_writable_bytes(std::span(part))),
                    file.path().string() + ": ends early; get it again");
}

TEST_CASE("an atomic file appears complete or not at all") {
  const Scratch scratch;
  const fs::path path = scratch / "out.txt";
  {
    AtomicFile file(path);
    file.write("half");
    CHECK_FALSE(fs::exists(path));
  }
  CHECK(entries(scratch.path()) == 0);
  AtomicFile file(path);
  file.write("one ");
  file.write("two");
  file.commit();
  CHECK(text_of(path) == "one two");
  CHECK(entries(scratch.path()) == 1);
  CHECK_THROWS_AS(file.write("three"), std::logic_error);
}

TEST_CASE("an atomic file replaces the old one only at its commit") {
  const Scratch scratch;
  const fs::path path = scratch.write("out.txt", "old");
  AtomicFile first(path), second(path);
  first.write("first");
  second.write("second");
  CHECK(text_of(path) == "old");
  second.commit();
  first.commit();
  CHECK(text_of(path) == "first");
  CHECK(entries(scratch.path()) == 1);
}

TEST_CASE("an atomic file is as readable as others that the user creates") {
  const Scratch scratch;
  AtomicFile file(scratch / "a");
  file.commit();
  scratch.write("b", "");
  CHECK(fs::status(scratch / "a").permissions() == fs::status(scratch / "b").permissions());
}

TEST_CASE("an atomic file in a folder that is not there is an error at once") {
  const Scratch scratch;
  const fs::path path = scratch / "none/out.txt";
  CHECK_THROWS_WITH(AtomicFile(path),
                    path.string() + ": cannot be written: No such file or directory");
}

TEST_CASE("a full disk is an error of the write") {
  // /dev/full exists for this; writing to it directly, because no file can be renamed onto it.
  const std::string error = error_of([] {
    const std::string_view text = "x";
    write_file("/dev/full", std::as_bytes(std::span(text)));
  });
  CHECK(error == "/dev/full: cannot be written: No space left on device");
}

TEST_CASE("folders are made with those above them, and a file in the way is named") {
  const Scratch scratch;
  create_folders(scratch / "a/b/c");
  create_folders(scratch / "a/b/c");
  CHECK(fs::is_directory(scratch / "a/b/c"));
  const fs::path file = scratch.write("file", "");
  CHECK(error_of([&] { create_folders(file / "sub"); }) ==
        (file / "sub").string() + ": the directory cannot be made: Not a directory");
  CHECK(error_of([&] { create_folders(file); }) ==
        file.string() + ": the directory cannot be made: Not a directory");
}
