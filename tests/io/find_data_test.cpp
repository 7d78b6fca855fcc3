#include <millrace/io/find_data.h>

#include "catch.h"
#include "io/idx_files.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;

TEST_CASE("a folder of folders is a folder of classes") {
  const Scratch scratch;
  scratch.write("cats/1.jpg", "x");
  scratch.write("dogs/1.jpg", "x");
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.kind == DataKind::class_folders);
  CHECK(layout.train.samples == scratch.path());
  CHECK_FALSE(layout.validation);
}

TEST_CASE("train and val are parts of a data set, and test stands in for val") {
  const Scratch scratch;
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg"}) {
    scratch.write(name, "x");
  }
  DataLayout layout = find_data(scratch.path());
  CHECK(layout.train.samples == scratch / "train");
  CHECK(layout.validation->samples == scratch / "test");
  CHECK(layout.validation_is_test);
  scratch.write("val/a/1.jpg", "x");
  scratch.write("val/b/1.jpg", "x");
  layout = find_data(scratch.path());
  CHECK(layout.validation->samples == scratch / "val");
  CHECK_FALSE(layout.validation_is_test);
  CHECK(open_datasets(layout).validation->size() == 2);
}

TEST_CASE("a class called train is a class") {
  const Scratch scratch;
  scratch.write("train/1.jpg", "x");
  scratch.write("plane/1.jpg", "x");
  CHECK(find_data(scratch.path()).train.samples == scratch.path());
  CHECK(open_datasets(find_data(scratch.path())).train->classes() ==
        std::vector<std::string>{"plane", "train"});
}

TEST_CASE("a validation folder with other classes is an error that names the difference") {
  const Scratch scratch;
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/c/1.jpg"}) {
    scratch.write(name, "x");
  }
  const std::string val = (scratch / "val").string(), train = (scratch / "train").string();
  CHECK_THROWS_WITH(
      open_datasets(find_data(scratch.path())),
      val + ": has no class 'b' as " + train + " has; both must have the same class folders");
  scratch.write("val/b/1.jpg", "x");
  CHECK_THROWS_WITH(
      open_datasets(find_data(scratch.path())),
      val + ": has a class 'c' that " + train + " lacks; both must have the same class folders");
}

TEST_CASE("a validation folder may lack images of a class") {
  const Scratch scratch;
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg"}) {
    scratch.write(name, "x");
  }
  fs::create_directory(scratch / "val/b");
  for (const bool has_folder : {true, false}) {
    if (!has_folder) fs::remove(scratch / "val/b");
    const Datasets sets = open_datasets(find_data(scratch.path()));
    CHECK(sets.validation->classes() == sets.train->classes());
    CHECK(sets.validation->size() == 1);
    CHECK(sets.validation->notes() ==
          std::vector<std::string>{(scratch / "val").string() + ": no pictures of the class 'b'"});
  }
}

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

TEST_CASE("validation images of another size are an error") {
  const Scratch scratch;
  scratch.write("train-images-idx3-ubyte", kImages);
  scratch.write("train-labels-idx1-ubyte", kLabels);
  scratch.write("t10k-images-idx3-ubyte", idx_bytes({1, 1, 2}, "ab"));
  scratch.write("t10k-labels-idx1-ubyte", idx_bytes({1}, std::string_view("\0", 1)));
  CHECK_THROWS_WITH(open_datasets(find_data(scratch.path())),
                    (scratch / "t10k-images-idx3-ubyte").string() +
                        ": samples of 1x2x1, but 2x3x1 in " +
                        (scratch / "train-images-idx3-ubyte").string());
}

TEST_CASE("a table is a data set, alone or with a test table beside it") {
  const Scratch scratch;
  const fs::path train = scratch.write("train.csv", "1,0\n2,1\n");
  CHECK(find_data(train).kind == DataKind::csv);
  scratch.write("test.csv", "5,0\n");
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.kind == DataKind::csv);
  CHECK(open_datasets(layout).validation->classes() == std::vector<std::string>{"0", "1"});
}

TEST_CASE("what is no data set is an error that says what would be one") {
  const Scratch scratch;
  CHECK_THROWS_WITH(find_data(scratch / "none"),
                    (scratch / "none").string() + ": No such file or directory");
  const fs::path file = scratch.write("notes.txt", "x");
  CHECK_THROWS_WITH(find_data(file),
                    file.string() +
                        ": not a data set; expected a folder with a folder for each "
                        "class, IDX files or a .csv file");
}

TEST_CASE("Generated samples are data that no file holds") {
  const DataLayout layout = find_data("generated:10x4x4x1:3");
  CHECK(layout.kind == DataKind::generated);
  const Datasets sets = open_datasets(layout);
  CHECK(sets.train->size() == 10);
  CHECK(sets.train->classes().size() == 3);
  CHECK(sets.validation == nullptr);
  CHECK_THROWS_AS(find_data("generated:10"), UsageError);
}
