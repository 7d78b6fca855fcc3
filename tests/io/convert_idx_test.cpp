#include <millrace/io/convert_idx.h>

#include <millrace/io/class_folder.h>
#include <millrace/io/decode.h>
#include <millrace/io/find_data.h>
#include <millrace/io/idx.h>

#include "catch.h"
#include "io/idx_files.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

namespace {

// n images of 4 x 4, all different, labels 0 1 2 0 1 2 ...
void write_idx(const Scratch& scratch, const std::string& part, std::uint32_t n) {
  std::string pixels, labels;
  for (std::uint32_t i = 0; i < n; ++i) {
    for (std::uint32_t j = 0; j < 16; ++j) pixels += static_cast<char>(i * 31 + j * 7);
    labels += static_cast<char>(i % 3);
  }
  scratch.write(part + "-images-idx3-ubyte", idx_bytes({n, 4, 4}, pixels));
  scratch.write(part + "-labels-idx1-ubyte", idx_bytes({n}, labels));
}

}  // namespace

TEST_CASE("IDX files become class folders with the same pixels and labels") {
  const Scratch data, out;
  write_idx(data, "train", 7);
  write_idx(data, "t10k", 3);
  const Conversion conversion = convert_idx(data.path(), out / "png");
  CHECK(conversion.images == 10);
  CHECK(conversion.written == 10);
  CHECK(fs::exists(out / "png/train/2/00005.png"));
  CHECK(fs::exists(out / "png/test/0/00000.png"));
  CHECK_FALSE(fs::exists(out / "png.partial"));

  const Datasets idx = open_datasets(find_data(data.path()));
  const Datasets png = open_datasets(find_data(out / "png"));
  CHECK(png.train->classes() == idx.train->classes());
  REQUIRE(png.train->size() == 7);
  REQUIRE(png.validation->size() == 3);
  Decoder decoder;
  for (std::uint32_t i = 0; i < 7; ++i) {
    const std::string name = png.train->name(i);
    const auto number = static_cast<std::uint32_t>(std::stoul(name.substr(name.size() - 9)));
    CHECK(png.train->label(i) == idx.train->label(number));
    std::vector<std::uint8_t> a(16), b(16);
    png.train->load(i, TensorView(std::span(a), Shape{4, 4, 1}), Filter::nearest, decoder);
    idx.train->load(number, TensorView(std::span(b), Shape{4, 4, 1}), Filter::nearest, decoder);
    CHECK(a == b);
  }
}

TEST_CASE("labels that no sample has stay classes in the folders that are made of IDX files") {
  const Scratch data, out;
  const auto write = [&](const std::string& part, std::string_view labels) {
    const auto n = static_cast<std::uint32_t>(labels.size());
    data.write(part + "-images-idx3-ubyte", idx_bytes({n, 4, 4}, std::string(n * 16, 'x')));
    data.write(part + "-labels-idx1-ubyte", idx_bytes({n}, labels));
  };
  write("train", std::string_view("\0\2\0\2", 4));
  write("val", std::string_view("\2", 1));
  write("t10k", std::string_view("\0", 1));
  CHECK(convert_idx(data.path(), out / "png").images == 6);
  CHECK(fs::exists(out / "png/val/2/00000.png"));
  CHECK(fs::exists(out / "png/test/0/00000.png"));
  const Datasets idx = open_datasets(find_data(data.path()));
  const Datasets png = open_datasets(find_data(out / "png"));
  const std::string train = (out / "png/train").string();
  CHECK(png.train->classes() == idx.train->classes());
  CHECK(png.train->notes() == std::vector<std::string>{train + ": no images of the class '1'"});
  CHECK(png.validation->classes() == idx.validation->classes());
  CHECK(ClassFolder(out / "png/test").classes() == idx.train->classes());
}

TEST_CASE("class folders can be given names, with a dash for a slash") {
  const Scratch data, out;
  write_idx(data, "train", 6);
  convert_idx(data.path(), out / "png",
              {.classes = {"T-shirt/top", "Trouser", "Coat"}, .watch = {}});
  CHECK(ClassFolder(out / "png/train").classes() ==
        std::vector<std::string>{"Coat", "T-shirt-top", "Trouser"});
  CHECK_THROWS_WITH(
      convert_idx(data.path(), out / "two", {.classes = {"a", "b", "a"}, .watch = {}}),
      "two classes are called 'a'");
}

TEST_CASE(
    "a conversion that was stopped leaves no tree under its name and goes on when called again") {
  const Scratch data, out;
  write_idx(data, "train", 400);
  std::stop_source source;
  const Watch stopping{[&](std::uint64_t) { source.request_stop(); }, source.get_token()};
  CHECK_THROWS_AS(convert_idx(data.path(), out / "png", {.classes = {}, .watch = stopping}),
                  Stopped);
  CHECK_FALSE(fs::exists(out / "png"));
  CHECK(fs::exists(out / "png.partial"));
  const Conversion rest = convert_idx(data.path(), out / "png");
  CHECK(rest.images == 400);
  CHECK(rest.written == 400 - 256);
  CHECK(ClassFolder(out / "png/train").size() == 400);
}

TEST_CASE("a complete conversion is kept, and anything else in its place is not touched") {
  const Scratch data, out;
  write_idx(data, "train", 6);
  convert_idx(data.path(), out / "png");
  const Conversion again = convert_idx(data.path(), (out / "png").string() + "/");
  CHECK(again.was_complete);
  CHECK(again.images == 6);
  CHECK(again.written == 0);

  write_idx(data, "train", 9);  // other files now
  CHECK_THROWS_WITH(
      convert_idx(data.path(), out / "png"),
      (out / "png").string() + ": holds something else already; remove it or name another folder");
  out.write("other.partial/thesis.txt", "precious");
  CHECK_THROWS_WITH(convert_idx(data.path(), out / "other"),
                    (out / "other.partial").string() + ": is in the way; remove it");
  CHECK(fs::exists(out / "other.partial/thesis.txt"));
}

TEST_CASE("a folder without IDX files cannot be converted") {
  const Scratch data;
  data.write("cats/1.jpg", "x");
  CHECK_THROWS_WITH(
      convert_idx(data.path(), data / "out"),
      data.path().string() + ": no IDX files; expected such as train-images-idx3-ubyte.gz");
}
