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

TEST_CASE("parts have their names in any case and form") {
  const Scratch scratch;
  const std::string train = GENERATE("train", "Train", "TRAINING", "training");
  const std::string other =
      GENERATE("val", "Valid", "validation", "VALIDATION", "dev", "Eval", "test", "Test");
  for (const std::string& part : {train, other}) {
    for (const char* label : {"a", "b"}) scratch.write(concat(part, '/', label, "/1.jpg"), "x");
  }
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.train.samples == scratch / train);
  CHECK(layout.validation->samples == scratch / other);
  CHECK(layout.validation_is_test == (part_named(other) == PartKind::test));
  CHECK(layout.test.has_value() == layout.validation_is_test);
  CHECK(open_datasets(layout).validation->size() == 2);
}

TEST_CASE("a part is named by a word, and validation is what is validated on") {
  const Scratch scratch;
  for (const char* part : {"train", "Test"}) {
    for (const char* label : {"a", "b"}) scratch.write(concat(part, '/', label, "/1.jpg"), "x");
  }
  const auto part = [&](const char* word) {
    return part_of(find_data(scratch.path()), word, "DATA").samples.filename().string();
  };
  CHECK(part("train") == "train");
  CHECK(part("Training") == "train");
  CHECK(part("test") == "Test");
  CHECK(part("validation") == "Test");
  CHECK_THROWS_WITH(part("val"), "DATA: has no validation part; expected val/ beside train/");
  CHECK_THROWS_AS(part("all"), UsageError);
  for (const char* label : {"a", "b"}) scratch.write(concat("dev/", label, "/1.jpg"), "x");
  for (const char* word : {"val", "VALID", "validation", "dev", "eval"}) CHECK(part(word) == "dev");
  CHECK(part("test") == "Test");
}

TEST_CASE("a train folder alone is a part, and beside other folders of images a class") {
  const Scratch scratch;
  for (const char* name : {"train/steam/1.jpg", "train/electric/1.jpg"}) scratch.write(name, "x");
  scratch.write("labels.csv", "x");
  scratch.write("docs/readme.txt", "x");
  CHECK(find_data(scratch.path()).train.samples == scratch / "train");
  for (const char* name : {"car/1.jpg", "plane/1.jpg"}) scratch.write(name, "x");
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.train.samples == scratch.path());
  CHECK(layout.notes.size() == 1);
  fs::remove_all(scratch / "docs");  // which as a class would be one without images
  CHECK(open_datasets(layout).train->classes() ==
        std::vector<std::string>{"car", "plane", "train"});
}

TEST_CASE("classes may be called test and val") {
  const Scratch scratch;
  for (const char* name : {"test/a/1.jpg", "val/a/1.jpg", "test/b/1.jpg"}) scratch.write(name, "x");
  const DataLayout layout = find_data(scratch.path());
  CHECK_FALSE(layout.validation);
  CHECK(open_datasets(layout).train->classes() == std::vector<std::string>{"test", "val"});
}

TEST_CASE("a folder of images beside parts is an error that names it") {
  const Scratch scratch;
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"}) {
    scratch.write(name, "x");
  }
  scratch.write("notes/1.txt", "x");
  scratch.write(".cache/1.jpg", "x");
  CHECK(find_data(scratch.path()).validation);
  scratch.write("extra/deep/1.jpg", "x");
  const std::string train = (scratch / "train").string();
  CHECK_THROWS_WITH(find_data(scratch.path()),
                    (scratch / "extra").string() +
                        ": would be left out, since train beside it is a part of a data set; move "
                        "it away, rename train if that is a class, or name the part alone: " +
                        train);
}

TEST_CASE("a part that is there twice or has no class folders is an error") {
  const Scratch scratch;
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "dev/b/1.jpg"}) {
    scratch.write(name, "x");
  }
  CHECK_THROWS_WITH(find_data(scratch.path()),
                    scratch.path().string() +
                        ": dev and val are one part twice; rename one, or name what is meant "
                        "instead of the folder, as in " +
                        (scratch / "dev").string());
  fs::remove_all(scratch / "dev");
  scratch.write("test/1.jpg", "x");
  CHECK(error_of([&] { (void)find_data(scratch.path()); })
            .find((scratch / "test").string() + ": has images without class folders, though "
                                                "train/ beside it has class folders") == 0);
}

TEST_CASE("a validation folder with other classes is an error that names the difference") {
  const Scratch scratch;
  for (const char* name : {"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/c/1.jpg"}) {
    scratch.write(name, "x");
  }
  const std::string val = (scratch / "val").string(), train = (scratch / "train").string();
  CHECK_THROWS_WITH(open_datasets(find_data(scratch.path())),
                    val + ": has a class 'c' that " + train +
                        " lacks, and lacks the class 'b' of " + train + "; names must be the same");
  scratch.write("val/b/1.jpg", "x");
  CHECK_THROWS_WITH(open_datasets(find_data(scratch.path())),
                    val + ": has a class 'c' that " + train + " lacks; names must be the same");
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
          std::vector<std::string>{(scratch / "val").string() + ": no images of the class 'b'"});
  }
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

TEST_CASE("what is no data set is an error that says what would be one") {
  const Scratch scratch;
  CHECK_THROWS_WITH(find_data(scratch / "none"),
                    (scratch / "none").string() + ": No such file or directory");
  const fs::path file = scratch.write("notes.txt", "x");
  CHECK_THROWS_WITH(find_data(file),
                    file.string() +
                        ": not a data set; expected a folder with a folder for each "
                        "class, IDX files, .tar shards or a .csv file");
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

TEST_CASE("run directories beside the parts of a data set are neither parts nor in their way") {
  const Scratch scratch;
  for (const char* name :
       {"train/a/1.jpg", "train/b/1.jpg", "runs/x/augmented.png", "runs/x/millrace.lock",
        "test/checkpoints/best.ckpt", "test/augmented.png", "test/millrace.lock"}) {
    scratch.write(name, "x");
  }
  DataLayout layout = find_data(scratch.path());
  CHECK(layout.train.samples == scratch / "train");
  CHECK_FALSE(layout.validation);
  scratch.write("val/a/1.jpg", "x");
  layout = find_data(scratch.path());
  CHECK(layout.validation->samples == scratch / "val");
}
