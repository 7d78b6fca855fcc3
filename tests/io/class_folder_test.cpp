#include <millrace/io/class_folder.h>

#include <millrace/io/decode.h>

#include "catch.h"
#include "io/class_folders.h"
#include "io/scratch.h"

#include <pwd.h>
#include <sys/wait.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

TEST_CASE("classes are folders in the order of their bytes, files in the order of their names") {
  const Scratch scratch;
  for (const char* name : {"dogs/2.jpg", "dogs/10.jpg", "Zebras/a.PNG", "cats/z.jpeg",
                           "cats/b/1.png", "cats/b-c/1.png", "cats/b/c/1.png", "cats/a.tga"}) {
    scratch.write(name, "x");
  }
  const ClassFolder set(scratch.path());
  CHECK(set.classes() == std::vector<std::string>{"Zebras", "cats", "dogs"});
  // Folders by the bytes of their paths ('-' before '/'), as Keras walks them.
  CHECK(names(set, scratch) ==
        std::vector<std::string>{"Zebras/a.PNG", "cats/a.tga", "cats/z.jpeg", "cats/b/1.png",
                                 "cats/b-c/1.png", "cats/b/c/1.png", "dogs/10.jpg", "dogs/2.jpg"});
  std::vector<int> labels;
  for (std::uint32_t i = 0; i < set.size(); ++i) labels.push_back(set.label(i));
  CHECK(labels == std::vector<int>{0, 1, 1, 1, 1, 1, 2, 2});
  CHECK(set.notes().empty());
  CHECK_THROWS_AS(set.label(8), std::logic_error);
}

TEST_CASE("files that are no images are left out and counted by reason") {
  const Scratch scratch;
  for (const char* name : {"a/1.jpg", "a/.2.jpg", "a/notes.txt", "a/4.HEIC", "a/xjpg", "a/.jpg",
                           "b/1.jpg", ".hidden/1.jpg", "b/.git/1.jpg", "readme.md", "5.png"}) {
    scratch.write(name, "x");
  }
  const ClassFolder set(scratch.path());
  CHECK(names(set, scratch) == std::vector<std::string>{"a/1.jpg", "b/1.jpg"});
  const std::string root = scratch.path().string();
  CHECK(set.notes() ==
        std::vector<std::string>{
            root +
            ": left out 9: 4 hidden (.hidden, a/.2.jpg, a/.jpg, ...); 2 not images by their "
            "ending (a/notes.txt, readme.md); 1 not an image by its content (a/xjpg); 1 HEIC, "
            "which is not read (a/4.HEIC); 1 image beside the class folders, so without a "
            "class (5.png)"});
  CHECK(set.left_out().total() == 9);
  CHECK(set.left_out().lines().size() == 8);
  const ClassFolder full(scratch.path(), {}, {.names_left_out = LeftOut::kAllNames});
  CHECK(full.left_out().lines().size() == 9);
}

TEST_CASE("images are samples by their content where their ending does not tell") {
  const Scratch scratch;
  for (const char* name : {"a/1.jfif", "a/2.jpe", "a/3.webp", "a/4.tif", "b/1.png"}) {
    scratch.write(name, "x");
  }
  scratch.write("a/5", image("rgb.png"));
  scratch.write("a/6.jpg_large", image("444.jpg"));
  const ClassFolder set(scratch.path());
  CHECK(names(set, scratch) == std::vector<std::string>{"a/1.jfif", "a/2.jpe", "a/3.webp",
                                                        "a/4.tif", "a/5", "a/6.jpg_large",
                                                        "b/1.png"});
  CHECK(set.notes().empty());
}

TEST_CASE("symbolic links are followed, but not round in circles") {
  const Scratch scratch, elsewhere;
  scratch.write("a/1.jpg", "x");
  scratch.write("b/1.jpg", "x");
  elsewhere.write("c/sub/2.jpg", "x");
  fs::create_directory_symlink(elsewhere / "c", scratch / "c");
  fs::create_directory_symlink(scratch.path(), scratch / "a/up");
  fs::create_directory_symlink(scratch / "a", scratch / "a/self");
  fs::create_symlink(elsewhere / "c/sub/2.jpg", scratch / "b/2.jpg");
  fs::create_symlink(elsewhere / "none.jpg", scratch / "b/3.jpg");
  const ClassFolder set(scratch.path());
  CHECK(names(set, scratch) ==
        std::vector<std::string>{"a/1.jpg", "b/1.jpg", "b/2.jpg", "c/sub/2.jpg"});
  CHECK(set.left_out().lines() == std::vector<std::string>{"b/3.jpg: link to nowhere",
                                                           "a/self: link in a circle",
                                                           "a/up: link in a circle"});
}

TEST_CASE("a folder without the expected tree is an error that shows it") {
  const std::string tree = "expected a folder for each class: DATA/cats/1.jpg, DATA/dogs/2.jpg";
  const Scratch scratch;
  CHECK(folder_error(scratch, "none") == "/none: No such file or directory");
  scratch.write("file", "x");
  CHECK(folder_error(scratch, "file") == "/file: is not a folder; " + tree);
  CHECK(folder_error(scratch) == ": no class folders; " + tree);
  scratch.write("1.jpg", "x");
  CHECK(folder_error(scratch) == ": images without class folders; " + tree);
  scratch.write("cats/1.jpg", "x");
  CHECK(folder_error(scratch) ==
        ": only one class, cats; nothing can be learnt from that; " + tree);
}

TEST_CASE("a class without images is named") {
  const Scratch scratch;
  scratch.write("cats/1.jpg", "x");
  fs::create_directories(scratch / "dogs/old");
  CHECK(folder_error(scratch) ==
        "/dogs: no images in this class folder; add some or remove the folder");
  scratch.write("dogs/1.avif", std::string_view("\0\0\0\x18"
                                                "ftypavif",
                                                12));
  CHECK(folder_error(scratch) ==
        "/dogs: no images in this class folder; add some or remove the folder; left out 1: 1 "
        "AVIF, which is not read, convert with `avifdec in.avif out.png` (dogs/1.avif)");
}

namespace {

/// What `body` returns, as somebody else, because root may read everything.
template <class Body>
bool holds_unprivileged(Body body) {
  const pid_t child = ::fork();
  if (child == 0) {
    const passwd* const nobody = ::getpwnam("nobody");
    if (::geteuid() == 0 && (nobody == nullptr || ::seteuid(nobody->pw_uid) != 0)) ::_exit(2);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("a folder that may not be read costs what is in it, and a class only if that is all") {
  const Scratch scratch;
  for (const char* name : {"cats/1.jpg", "dogs/1.jpg", "dogs/locked/2.jpg", "dogs/open/3.jpg"}) {
    scratch.write(name, "x");
  }
  fs::permissions(scratch.path(), fs::perms::all);
  fs::permissions(scratch / "dogs/locked", fs::perms::none);
  CHECK(holds_unprivileged([&] {
    const ClassFolder set(scratch.path());
    return names(set, scratch) ==
               std::vector<std::string>{"cats/1.jpg", "dogs/1.jpg", "dogs/open/3.jpg"} &&
           set.left_out().lines() ==
               std::vector<std::string>{"dogs/locked: cannot be read: Permission denied"};
  }));
  fs::permissions(scratch / "dogs", fs::perms::none);
  CHECK(holds_unprivileged([&] {
    return folder_error(scratch) ==
           "/dogs: cannot be read: Permission denied; the class 'dogs' has no images without it";
  }));
  fs::permissions(scratch.path(), fs::perms::none);
  CHECK(holds_unprivileged(
      [&] { return folder_error(scratch) == ": cannot be listed: Permission denied"; }));
  fs::permissions(scratch.path(), fs::perms::owner_all);
  fs::permissions(scratch / "dogs", fs::perms::owner_all);
  fs::permissions(scratch / "dogs/locked", fs::perms::owner_all);
}

TEST_CASE("the index takes the names and eight bytes a file at most") {
  const Scratch scratch;
  std::size_t letters = 0;
  for (const char* label : {"n01440764", "n01443537"}) {
    for (int i = 0; i < 200; ++i) {
      const std::string name = concat(label, "_", i, ".JPEG");
      scratch.write(concat(label, "/", name), "");
      letters += name.size();
    }
  }
  std::uint64_t last = 0;
  const Watch watch{[&](std::uint64_t done) { last = done; }, {}};
  const ClassFolder set(scratch.path(), watch);
  CHECK(set.size() == 400);
  CHECK(last == 400);
  CHECK(set.index_bytes().count <= letters + 8 * 400);
}

TEST_CASE("indexing can be stopped") {
  const Scratch scratch;
  scratch.write("a/1.jpg", "x");
  scratch.write("b/1.jpg", "x");
  std::stop_source source;
  source.request_stop();
  CHECK_THROWS_AS(ClassFolder(scratch.path(), Watch{{}, source.get_token()}), Stopped);
}

TEST_CASE("a sample is decoded into its place and errors name it") {
  const Scratch scratch;
  scratch.write("a/1.png", image("rgb.png"));
  scratch.write("b/1.jpg", "oops");
  const ClassFolder set(scratch.path());
  CHECK(set.natural_shape().rank() == 0);
  Decoder decoder;
  std::vector<std::uint8_t> direct(20 * 30 * 3), loaded(20 * 30 * 3);
  decoder.decode(image("rgb.png"), "", {direct.data(), 20, 30, 3}, Filter::bilinear);
  set.load(0, TensorView(std::span(loaded), Shape{20, 30, 3}), Filter::bilinear, decoder);
  CHECK(loaded == direct);
  CHECK_THROWS_WITH(
      set.load(1, TensorView(std::span(loaded), Shape{20, 30, 3}), Filter::bilinear, decoder),
      set.name(1) + ": not an image: it begins with the text 'oops'; remove it");
}

TEST_CASE("run directories in a data set are left out, and a folder of nothing else is no class") {
  const Scratch scratch;
  for (const char* name :
       {"a/1.png", "b/1.png", "b/other/2.png", "b/other/config.ini", "runs/x/augmented.png",
        "runs/x/millrace.lock", "more/runs/y/augmented.png", "more/runs/y/millrace.lock", "z/1.png",
        "z/events/1.png", "z/millrace.lock", "b/run/augmented.png"}) {
    scratch.write(name, "x");
  }
  // As older programs left them: without the marker.
  scratch.write(
      "b/run/config.ini",
      "# Run this again with: millrace train --recipe b/run/config.ini --run-dir OTHER\n");
  const bool is_companion = GENERATE(false, true);
  const ClassFolder set(scratch.path(), {}, {.is_companion = is_companion});
  CHECK(set.classes() == std::vector<std::string>{"a", "b", "z"});
  CHECK(names(set, scratch) ==
        std::vector<std::string>{"a/1.png", "b/1.png", "b/other/2.png", "z/1.png"});
  CHECK(set.left_out().count(LeftOutReason::run) == 4);
  CHECK_THAT(set.notes().front(), Catch::Contains("4 run directories (b/run, more/runs/y, runs/x"));
}

TEST_CASE("a data set that is a run directory itself has its classes, and nothing of the run") {
  const Scratch scratch;
  for (const char* name : {"a/1.png", "b/1.png", "events/train/x.tfevents", "checkpoints/1.ckpt",
                           "millrace.lock", "config.ini"}) {
    scratch.write(name, "x");
  }
  CHECK(ClassFolder(scratch.path()).classes() == std::vector<std::string>{"a", "b"});
  scratch.write("events/1.png", "x");  // a class of this name stays one
  CHECK(ClassFolder(scratch.path()).classes() == std::vector<std::string>{"a", "b", "events"});
}
