#include <millrace/training/known_weights.h>

#include "catch.h"
#include "io/scratch.h"

#include <millrace/nn/preprocessing.h>

#include <algorithm>
#include <set>

using namespace millrace;
using namespace millrace::test;

TEST_CASE("the table of published weights has a row a name, each with all that is known") {
  std::set<std::string> names, files;
  for (const KnownWeights& row : known_weights()) {
    INFO(row.name);
    CHECK(names.insert(row.name).second);
    CHECK(files.insert(row.file).second);
    CHECK(find_known_weights(row.name) == &row);
    CHECK(row.mebibytes > 4);
    CHECK(!row.maker.empty());
    CHECK(!row.licence.empty());
    CHECK_NOTHROW(nn::check_preprocessing(preprocessing_of(row), {224, 224, 3}));
    // torchvision's names hold the first digits of the hash.
    if (row.maker == "torchvision") CHECK(row.file.ends_with(row.hash + ".pth"));
    const bool is_hex = row.hash.find_first_not_of("0123456789abcdef") == std::string::npos;
    CHECK((is_hex && row.hash.size() >= 8) != row.hash.starts_with("md5:"));
  }
  CHECK(names.size() > 20);
  CHECK(find_known_weights("alexnet") == nullptr);
  CHECK(find_known_weights("vgg16")->file == "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5");
  CHECK(preprocessing_of(*find_known_weights("squeezenet1_1-keras")).filter == "nearest");
  CHECK(find_known_weights("efficientnet_lite0")->file == "efficientnet-lite0-57934424.pth");
}

TEST_CASE("a file of another size or hash than the published ones is not known") {
  const Scratch scratch;
  CHECK(known_file(scratch.write("small.pth", "no weights")) == nullptr);
  const auto path = scratch.write("large.pth", "");
  std::filesystem::resize_file(path, 4'958'839);  // 4.729 MiB, as SqueezeNet's
  CHECK(known_file(path) == nullptr);
  CHECK(known_file(scratch / "none.pth") == nullptr);
}

TEST_CASE("a file is the row whose size and hash it has, as it is now") {
  const Scratch scratch;
  std::vector<KnownWeights> rows(3);
  // printf abc | sha256sum: the first example of FIPS 180-4; xyz likewise.
  rows[0].hash = "md5:900150983cd24fb0d6963f7d28e17f72";
  rows[1].hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  rows[2].hash = "3608bca1";
  rows[2].name = "small", rows[2].model = "cnn", rows[2].maker = "Somebody";
  const auto path = scratch.write("small.pth", "abc");
  CHECK(known_file(path, rows) == &rows[1]);
  CHECK(known_file(path, rows) == &rows[1]);
  CHECK(known_file(path, std::span(rows).first(1)) == nullptr);
  CHECK_NOTHROW(check_known_file(path, rows[0]));  // nothing is known of it
  CHECK_NOTHROW(check_known_file(path, rows[1]));
  CHECK(error_of([&] { check_known_file(path, rows[2]); }) ==
        path.string() +
            ": not Somebody's weights of cnn, which --weights small means; delete it, then "
            "'scripts/fetch-weights small' fetches them");
  scratch.write("small.pth", "xyz");
  CHECK(known_file(path, rows) == &rows[2]);
  CHECK_NOTHROW(check_known_file(path, rows[2]));
  rows[2].mebibytes = 0.1;
  CHECK(known_file(path, rows) == nullptr);
}

TEST_CASE("ImageNet's classes come in the order of its labels") {
  const std::vector<std::string> names = imagenet_classes();
  REQUIRE(names.size() == 1000);
  CHECK(std::set<std::string>(names.begin(), names.end()).size() == 1000);
  CHECK(names[0] == "tench");
  CHECK(names[207] == "golden retriever");
  CHECK(names[281] == "tabby");
  CHECK(names[999] == "toilet tissue");
}
