#include <millrace/io/image_walk.h>

#include "catch.h"
#include "io/scratch.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

/// "image", "folder" or the reason, of an entry of the scratch folder.
std::string kind(const Scratch& scratch, const std::string& name) {
  const EntryKind kind = kind_of(fs::directory_entry(scratch / name), name);
  if (kind.kind == EntryKind::image) return "image";
  return kind.kind == EntryKind::folder
             ? "folder"
             : key_of(kind.reason) + (kind.what.empty() ? "" : ": " + kind.what);
}

std::vector<std::string> names(const std::vector<ImageWalk::Found>& all) {
  std::vector<std::string> result;
  for (const ImageWalk::Found& found : all) {
    for (std::size_t at = 0; at < found.listing.size();) {
      const std::string name = found.listing.c_str() + at;
      result.push_back(found.path + "/" + name);
      at += name.size() + 1;
    }
  }
  std::sort(result.begin(), result.end());
  return result;
}

void make_socket(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.native().size() < sizeof(address.sun_path));
  path.native().copy(address.sun_path, path.native().size());
  const int number = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(number, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(number);
}

}  // namespace

TEST_CASE("files that end as images do are images, whatever is in them") {
  const Scratch scratch;
  for (const char* name :
       {"1.jpg", "1.JPEG", "1.jpe", "1.jfif", "1.png", "1.bmp", "1.dib", "1.gif", "1.ppm", "1.pgm",
        "1.pnm", "1.tga", "1.psd", "1.webp", "1.tif", "1.TIFF", "a.txt.png", ".png.png."}) {
    scratch.write(name, "");
    CAPTURE(name);
    CHECK(is_image_name(name) == (std::string_view(name) != ".png.png."));
    if (name[0] != '.') CHECK(kind(scratch, name) == "image");
  }
}

TEST_CASE("files of other endings, or none, are images if their content is") {
  const Scratch scratch;
  for (const char* name : {"none", "1.image", "photo.jpg_large", "17.heic", "1.jpg~", "2020.12"}) {
    CAPTURE(name);
    scratch.write(name, image("rgb.png"));
    CHECK(kind(scratch, name) == "image");
    scratch.write(name, image("444.jpg"));
    CHECK(kind(scratch, name) == "image");
    scratch.write(name, "no image");
    CHECK(kind(scratch, name) == (std::string_view(name) == "17.heic"
                                      ? "format_not_read: HEIC, which is not read"
                                      : "not_an_image_by_content"));
  }
  for (const char* name :
       {"rgb.ppm", "rgb.bmp", "rgb.tga", "grey_rle.tga", "rgb.psd", "palette.gif"}) {
    scratch.write("picture", image(name));
    CHECK(kind(scratch, "picture") == "image");
  }
  for (const char* text :
       {"BMW builds cars and motorcycles", "P6, a processor of Intel's, after P5",
        "P1: to be done by the end of the week"}) {
    scratch.write("text", text);
    CAPTURE(text);
    CHECK(kind(scratch, "text") == "not_an_image_by_content");
  }
  scratch.write("photo", std::string_view("\0\0\0\x18"
                                          "ftypheic"
                                          "\0\0\0\0",
                                          16));
  CHECK(kind(scratch, "photo") ==
        "format_not_read: HEIC, which is not read, convert with `heif-convert in.heic out.jpg`");
  scratch.write("nothing", "");
  CHECK(kind(scratch, "nothing") == "empty");
}

TEST_CASE("what cannot be an image by its ending is not opened") {
  const Scratch scratch;
  for (const char* name : {"1.txt", "Thumbs.db", "desktop.INI", "labels.csv", "x.json", "a.zip"}) {
    scratch.write(name, image("rgb.png"));
    CAPTURE(name);
    CHECK(kind(scratch, name) == "not_an_image_by_ending");
  }
}

TEST_CASE("folders, links and what is no file are told apart") {
  const Scratch scratch;
  fs::create_directory(scratch / "folder.png");
  scratch.write("target", image("rgb.png"));
  fs::create_symlink(scratch / "target", scratch / "link");
  fs::create_directory_symlink(scratch / "folder.png", scratch / "linked");
  fs::create_symlink(scratch / "none.png", scratch / "dangling.png");
  fs::create_symlink("itself.png", scratch / "itself.png");
  REQUIRE(::mkfifo((scratch / "pipe.png").c_str(), 0600) == 0);
  make_socket(scratch / "socket.png");
  fs::create_symlink("/dev/zero", scratch / "zero.png");
  CHECK(kind(scratch, "folder.png") == "folder");
  CHECK(kind(scratch, "linked") == "folder");
  CHECK(kind(scratch, "link") == "image");
  CHECK(kind(scratch, "dangling.png") == "link_to_nowhere");
  CHECK(kind(scratch, "itself.png") == "circle_of_links");
  for (const char* name : {"pipe.png", "socket.png", "zero.png"}) {
    CHECK(kind(scratch, name) == "special_file");
  }
  CHECK(kind(scratch, ".hidden") == "hidden");
}

TEST_CASE("images below a folder are found through links, once round a circle") {
  const Scratch scratch, elsewhere;
  elsewhere.write("deep/2.png", "x");
  for (const char* name : {"1.png", "a/1.png", "a/notes.txt", "a/b/3", "a/.git/4.png"}) {
    scratch.write(name, image("rgb.png"));
  }
  fs::create_directory_symlink(elsewhere.path(), scratch / "a/linked");
  fs::create_directory_symlink(scratch.path(), scratch / "a/up");
  const Watch watch;
  LeftOut left_out;
  CHECK(names(ImageWalk(scratch.path(), watch).images_below("", left_out, "DATA")) ==
        std::vector<std::string>{"/1.png", "a/1.png", "a/b/3", "a/linked/deep/2.png"});
  CHECK(left_out.lines() == std::vector<std::string>{"DATA/a/.git: hidden",
                                                     "DATA/a/notes.txt: not an image by its ending",
                                                     "DATA/a/up: link in a circle"});
}

TEST_CASE("a run directory is left out below a folder, and looked into where it is named itself") {
  const Scratch scratch;
  scratch.write("1.png", "x");
  scratch.write("run/millrace.lock", "");
  scratch.write("run/augmented.png", "x");
  const Watch watch;
  LeftOut left_out;
  CHECK(names(ImageWalk(scratch.path(), watch).images_below({}, left_out)) ==
        std::vector<std::string>{"/1.png"});
  REQUIRE(left_out.counts().size() == 1);
  CHECK(std::string(left_out.counts()[0].first) == "run_directory");
  CHECK(left_out.counts()[0].second == 1);
  CHECK(names(ImageWalk(scratch / "run", watch).images_below({}, left_out)) ==
        std::vector<std::string>{"/augmented.png"});
}
