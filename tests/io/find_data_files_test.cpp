#include <millrace/io/find_data.h>

#include "catch.h"
#include "io/idx_files.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

TEST_CASE("the files of MNIST are found by their names, compressed or not") {
  const Scratch scratch;
  write_gzip(scratch / "train-images-idx3-ubyte.gz", kImages);
  scratch.write("train-labels-idx1-ubyte", kLabels);
  scratch.write("t10k-images.idx3-ubyte", kImages);
  scratch.write("t10k-labels.idx1-ubyte", idx_bytes({2}, std::string_view("\0\0", 2)));
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.kind == DataKind::idx);
  CHECK(layout.train.labels == scratch / "train-labels-idx1-ubyte");
  CHECK(layout.validation_is_test);
  const Datasets sets = open_datasets(layout);
  CHECK(sets.train->size() == 2);
  CHECK(sets.validation->classes() == sets.train->classes());  // though it shows label 0 only
}

TEST_CASE("a single pair of IDX files is the training part, several need a name") {
  const Scratch scratch;
  scratch.write("my-images-idx3-ubyte", kImages);
  CHECK(error_of([&] { (void)find_data(scratch.path()); }) ==
        (scratch / "my-images-idx3-ubyte").string() +
            ": its labels are missing; expected my-labels-idx1-ubyte beside it");
  scratch.write("my-labels-idx1-ubyte", kLabels);
  CHECK(find_data(scratch.path()).train.samples == scratch / "my-images-idx3-ubyte");
  CHECK(find_data(scratch / "my-images-idx3-ubyte").kind == DataKind::idx);
  scratch.write("your-images-idx3-ubyte", kImages);
  scratch.write("your-labels-idx1-ubyte", kLabels);
  CHECK(error_of([&] { (void)find_data(scratch.path()); }).find("several pairs") !=
        std::string::npos);
}

TEST_CASE("a pair of IDX files alone is the part that its name says") {
  for (const auto& [start, part] : {std::pair("t10k", std::optional(PartKind::test)),
                                    std::pair("emnist-letters-test", std::optional(PartKind::test)),
                                    std::pair("dev", std::optional(PartKind::validation)),
                                    std::pair("train", std::optional(PartKind::training)),
                                    std::pair("my", std::optional<PartKind>())}) {
    const Scratch scratch;
    const fs::path images = scratch.write(concat(start, "-images-idx3-ubyte"), kImages);
    scratch.write(concat(start, "-labels-idx1-ubyte"), kLabels);
    CHECK(find_data(scratch.path()).only_part == part);
    CHECK(find_data(scratch.path()).train.samples == images);
    scratch.write("val-images-idx3-ubyte", kImages);
    scratch.write("val-labels-idx1-ubyte", kLabels);
    if (part == PartKind::training) CHECK_FALSE(find_data(scratch.path()).only_part);
  }
}

TEST_CASE("IDX files have parts, one of each, and none that would be left out") {
  const Scratch scratch;
  const auto write = [&](const std::string& start) {
    scratch.write(start + "-images-idx3-ubyte", kImages);
    scratch.write(start + "-labels-idx1-ubyte", kLabels);
  };
  for (const char* part : {"emnist-letters-Train", "emnist-letters-test", "emnist-letters-val"}) {
    write(part);
  }
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.train.samples == scratch / "emnist-letters-Train-images-idx3-ubyte");
  CHECK(layout.validation->samples == scratch / "emnist-letters-val-images-idx3-ubyte");
  CHECK(layout.test->samples == scratch / "emnist-letters-test-images-idx3-ubyte");
  CHECK_FALSE(layout.validation_is_test);
  write("more");
  CHECK(error_of([&] {
          (void)find_data(scratch.path());
        }).find((scratch / "more-images-idx3-ubyte").string() + ": would be left out") == 0);
  fs::remove(scratch / "more-images-idx3-ubyte");
  write("t10k");
  CHECK(error_of([&] { (void)find_data(scratch.path()); }).find("one part twice") !=
        std::string::npos);
}

TEST_CASE("tables have parts, one of each, and none that would be left out") {
  const Scratch scratch;
  for (const char* name : {"Train.csv", "dev.CSV", "test.csv"}) scratch.write(name, "1,0\n2,1\n");
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.validation->samples == scratch / "dev.CSV");
  CHECK(layout.test->samples == scratch / "test.csv");
  scratch.write("sample_submission.csv", "1,0\n");
  CHECK(error_of([&] {
          (void)find_data(scratch.path());
        }).find((scratch / "sample_submission.csv").string() + ": would be left out") == 0);
}

TEST_CASE("a table is a data set, alone or with a test table beside it") {
  const Scratch scratch;
  scratch.write("train.csv", "1,0\n2,1\n");
  for (const char* name : {"train.csv", "other.CSV", "a.b.Csv"}) {  // in any case, as in folders
    CHECK(find_data(scratch.write("tables/" + std::string(name), "1,0\n")).kind == DataKind::csv);
  }
  scratch.write("test.csv", "5,0\n");
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.kind == DataKind::csv);
  CHECK(open_datasets(layout).validation->classes() == std::vector<std::string>{"0", "1"});
}
