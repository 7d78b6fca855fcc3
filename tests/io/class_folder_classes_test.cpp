// The classes of a class folder: their names, and those without images.

#include <millrace/io/class_folder.h>

#include "catch.h"
#include "io/class_folders.h"
#include "io/scratch.h"

#include <sys/stat.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

TEST_CASE("a class folder whose name is not UTF-8 is a class of another name, with a note") {
  const Scratch scratch;
  scratch.write("caf\xE9/1.jpg", "x");
  scratch.write("th\xC3\xA9/1.jpg", "x");
  const ClassFolder set(scratch.path());
  CHECK(set.classes() == std::vector<std::string>{"caf\\xe9", "th\xC3\xA9"});
  CHECK(set.name(0) == (scratch / "caf\xE9/1.jpg").string());
  CHECK(set.notes() ==
        std::vector<std::string>{scratch.path().string() +
                                 ": the name of the class folder caf\\xe9 is not UTF-8; the class "
                                 "is called 'caf\\xe9', backslashes and all"});
  scratch.write("caf\\xe9/1.jpg", "x");
  CHECK(folder_error(scratch) ==
        ": two class folders would be called 'caf\\xe9', since the name of one is not UTF-8; "
        "rename it");
}

TEST_CASE("classes whose names look alike are told") {
  const Scratch scratch;
  for (const char* name : {"caf\u00e9", "cafe\u0301", "Owls", "owls", "dogs"}) {
    scratch.write(concat(name, "/1.jpg"), "x");
  }
  const std::vector<std::string> notes = ClassFolder(scratch.path()).notes();
  REQUIRE(notes.size() == 2);
  CHECK_THAT(notes[1], Catch::Contains("differ in case alone"));
  CHECK_THAT(notes[0], Catch::Contains("differ in Unicode form (") && Catch::Contains("U+00E9"));
}

TEST_CASE("a companion of other data may lack images of a class, which is noted") {
  const Scratch scratch;
  scratch.write("a/1.jpg", "x");
  fs::create_directory(scratch / "b");
  const ClassFolder set(scratch.path(), {}, {.is_companion = true});
  CHECK(set.classes() == std::vector<std::string>{"a", "b"});
  CHECK(set.notes() ==
        std::vector<std::string>{scratch.path().string() + ": no images of the class 'b'"});
  CHECK(folder_error(scratch) ==
        "/b: no images in this class folder; add some or remove the folder");
  fs::remove(scratch / "b");
  CHECK(ClassFolder(scratch.path(), {}, {.is_companion = true}).size() == 1);
}

TEST_CASE("a class that is known to be empty is one, and that is noted") {
  const Scratch scratch;
  for (const char* name : {"a/1.jpg", "c/1.jpg"}) scratch.write(name, "x");
  fs::create_directory(scratch / "b");
  scratch.write(ClassFolder::kEmptyClasses, "b\n");
  const ClassFolder set(scratch.path());
  CHECK(set.classes() == std::vector<std::string>{"a", "b", "c"});
  CHECK(set.label(1) == 2);
  CHECK(set.notes() ==
        std::vector<std::string>{scratch.path().string() + ": no images of the class 'b'"});
  fs::create_directory(scratch / "d");
  CHECK(folder_error(scratch) ==
        "/d: no images in this class folder; add some or remove the folder");
}

TEST_CASE("names of empty classes are read of a regular file of bounded size alone") {
  const Scratch scratch;
  for (const char* name : {"a/1.jpg", "c/1.jpg"}) scratch.write(name, "x");
  fs::create_directory(scratch / "b");
  const fs::path list = scratch / ClassFolder::kEmptyClasses;
  const std::string refused = concat('/', ClassFolder::kEmptyClasses,
                                     ": is not a regular file; expected a text with the name of an "
                                     "empty class on each line, so remove it or rewrite it");
  REQUIRE(::mkfifo(list.c_str(), 0600) == 0);
  CHECK(folder_error(scratch) == refused);
  fs::remove(list);
  for (const char* target : {"/dev/zero", "a/1.jpg", "nowhere"}) {
    fs::create_symlink(target, list);
    CHECK(folder_error(scratch) == refused);
    fs::remove(list);
  }
  fs::create_directory(list);
  CHECK(folder_error(scratch) == refused);
  fs::remove(list);
  const std::string most = "b\n" + std::string((1 << 20) - 2, 'x');
  scratch.write(ClassFolder::kEmptyClasses, most);
  CHECK(ClassFolder(scratch.path()).classes().size() == 3);
  scratch.write(ClassFolder::kEmptyClasses, most + 'x');
  CHECK_THAT(folder_error(scratch), Catch::Contains(ClassFolder::kEmptyClasses) &&
                                        Catch::Contains("1 MiB") && !Catch::Contains("\n"));
}
