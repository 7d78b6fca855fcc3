#include <millrace/io/files.h>

#include "catch.h"
#include "io/scratch.h"

#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <algorithm>
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
