#include <millrace/io/idx.h>

#include <millrace/io/decode.h>

#include "catch.h"
#include "io/idx_files.h"

using namespace millrace;
using namespace millrace::test;

namespace {

std::string read_error(std::string_view bytes) {
  const Scratch scratch;
  const auto path = scratch.write("x", bytes);
  const std::string error = error_of([&] { (void)read_idx(path); });
  return error.empty() ? error : error.substr(path.string().size());
}

}  // namespace

TEST_CASE("IDX files are read plain and compressed") {
  const Scratch scratch;
  const auto plain = scratch.write("a-images-idx3-ubyte", kImages);
  write_gzip(scratch / "a-images-idx3-ubyte.gz", kImages);
  for (const auto& path : {plain, scratch / "a-images-idx3-ubyte.gz"}) {
    const IdxArray array = read_idx(path);
    CHECK(array.shape == Shape{2, 2, 3});
    CHECK(array.values == std::vector<std::uint8_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  }
}

TEST_CASE("a header that lies is an error before memory is taken") {
  CHECK(read_error("") == ": not an IDX file; expected one such as train-images-idx3-ubyte");
  CHECK(read_error("hello") == ": not an IDX file; expected one such as train-images-idx3-ubyte");
  CHECK(read_error(idx_bytes({2}, "abcdefgh", 13)) ==
        ": an IDX file of other values than unsigned bytes, which is not read");
  CHECK(read_error(idx_bytes({4'000'000'000U, 4'000'000'000U, 3}, "abc")) ==
        ": its header does not fit its length; get it again");
  CHECK(read_error(idx_bytes({0, 28, 28}, "")) ==
        ": its header does not fit its length; get it again");
  CHECK(read_error(idx_bytes({2, 28, 28}, "").substr(0, 9)) ==
        ": ends within its header; get it again");
  CHECK(read_error(std::string("\0\0\10\7", 4)) == ": an IDX file of 7 dimensions");
}

TEST_CASE("an IDX file with fewer or more values than its header says is an error") {
  CHECK(read_error(idx_bytes({12}, "abcdef")) ==
        ": has fewer values than the 12 of its header; get it again");
  CHECK(read_error(idx_bytes({3}, "abcd")) ==
        ": has more values than the 3 of its header; get it again");
}

TEST_CASE("damaged gzip data are an error") {
  const Scratch scratch;
  write_gzip(scratch / "x.gz", kImages);
  std::vector<std::byte> bytes = read_file(scratch / "x.gz");
  const std::string path = (scratch / "y.gz").string();
  scratch.write("y.gz", std::span(bytes).first(bytes.size() - 6));
  CHECK_THROWS_WITH(read_idx(path), path + ": its gzip data end early; get it again");
  bytes[bytes.size() - 6] ^= std::byte{1};  // in the checksum
  scratch.write("y.gz", bytes);
  CHECK_THROWS_WITH(read_idx(path), path + ": damaged gzip data; get it again");
}

TEST_CASE("a pair of IDX files is a data set in memory") {
  const Scratch scratch;
  const IdxDataset set(scratch.write("t-images-idx3-ubyte", kImages),
                       scratch.write("t-labels-idx1-ubyte", kLabels));
  CHECK(set.size() == 2);
  CHECK(set.label(0) == 1);
  CHECK(set.label(1) == 0);
  CHECK(set.classes() == std::vector<std::string>{"0", "1"});
  CHECK(set.natural_shape() == Shape{2, 3, 1});
  CHECK(set.name(1) == (scratch / "t-images-idx3-ubyte").string() + " #1");
  CHECK(set.index_bytes().count >= 14);
  CHECK(set.index_bytes().count < 14 + sizeof(IdxDataset) + 16);

  Decoder decoder;
  std::vector<std::uint8_t> grey(6), colour(18);
  set.load(1, TensorView(std::span(grey), Shape{2, 3, 1}), Filter::nearest, decoder);
  CHECK(grey == std::vector<std::uint8_t>{6, 7, 8, 9, 10, 11});
  set.load(0, TensorView(std::span(colour), Shape{2, 3, 3}), Filter::nearest, decoder);
  CHECK(colour == std::vector<std::uint8_t>{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5});
}

TEST_CASE("IDX files that do not belong together are an error") {
  const Scratch scratch;
  const auto images = scratch.write("i", kImages);
  const auto three = scratch.write("l3", idx_bytes({3}, std::string_view("\0\1\2", 3)));
  CHECK_THROWS_WITH(IdxDataset(images, three),
                    three.string() + ": labels of shape 3 for the 2 images of " + images.string() +
                        "; the files do not belong together");
  CHECK_THROWS_WITH(
      IdxDataset(three, three),
      three.string() +
          ": images of shape 3; expected [n][height][width] or [n][height][width][1 or 3]");
  const auto labels = scratch.write("l", kLabels);
  CHECK_THROWS_WITH(IdxDataset(images, labels, {"only"}),
                    labels.string() + ": label 1 where there is 1 class");
}

TEST_CASE("the names of Fashion-MNIST are ten, in the order of its labels") {
  const std::vector<std::string> names = fashion_mnist_classes();
  REQUIRE(names.size() == 10);
  CHECK(names[0] == "T-shirt/top");
  CHECK(names[9] == "Ankle boot");
}
