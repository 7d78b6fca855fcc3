// Which tar shards a DATA stands for.

#include "catch.h"
#include "io/tar_files.h"

#include <nlohmann/json.hpp>

#include <fstream>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

Strings names_of(const std::vector<fs::path>& paths) {
  Strings names;
  for (const fs::path& path : paths) names.push_back(path.filename().string());
  return names;
}

}  // namespace

TEST_CASE("braces stand for what webdataset makes of them") {
  std::ifstream file(MILLRACE_TEST_DATA "/io/tar.json");
  const nlohmann::json recorded = nlohmann::json::parse(file);
  for (const auto& [pattern, expected] : recorded.at("braces").items()) {
    INFO(pattern);
    Strings found;
    for (const fs::path& path : shards_matching(pattern)) found.push_back(path.string());
    // A pattern that stands for one name, itself, is none.
    CHECK(found == (expected.size() == 1 ? Strings{} : expected.get<Strings>()));
  }
  CHECK(shards_matching("photos-{0..3}.zip").empty());
  CHECK_THROWS_AS(shards_matching("s-{0..99999999999}.tar"), UsageError);
  CHECK_THROWS_AS(shards_matching("{0..9999}{0..9999}.tar"), UsageError);
}

TEST_CASE("a shard, a pattern of shards and a folder of them are data sets") {
  const Scratch scratch;
  for (const char* name : {"s-0.tar", "s-1.tar", "s-2.tgz", "s-10.TAR.GZ"}) {
    write_tar(scratch / name, two_classes(2));
  }
  const auto shards_of = [&](const fs::path& data) {
    const DataLayout layout = find_data(data);
    CHECK(layout.kind == DataKind::tar);
    CHECK(layout.train.samples == data);
    CHECK(!layout.validation);
    return names_of(layout.train.shards);
  };
  CHECK(shards_of(scratch / "s-1.tar") == Strings{"s-1.tar"});
  CHECK(shards_of(scratch / "s-{0..1}.tar") == Strings{"s-0.tar", "s-1.tar"});
  CHECK(shards_of(scratch / "s-*.tar") == Strings{"s-0.tar", "s-1.tar"});
  CHECK(shards_of(scratch / "{s-1,s-0}.tar") == Strings{"s-1.tar", "s-0.tar"});
  CHECK(shards_of(scratch.path()) == Strings{"s-0.tar", "s-1.tar", "s-10.TAR.GZ", "s-2.tgz"});
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "t-*.tar"); }),
             Contains("t-*.tar: No such file"));
  const DataLayout missing = find_data(scratch / "s-{0..5}.tar");
  CHECK_THAT(error_of([&] { (void)open_datasets(missing); }),
             Contains("s-2.tar: cannot be opened: No such file"));
}

TEST_CASE("names of shards tell parts, and so do their folders") {
  const Scratch scratch;
  for (const char* name : {"a/train-000.tar", "a/train-001.tar", "a/val-000.tar", "a/test-000.tar",
                           "b/photos_train.tar", "b/photos_test.tar", "c/train/0.tar",
                           "c/train/1.tar", "c/test/0.tar"}) {
    write_tar(scratch / name, two_classes(2));
  }
  const DataLayout a = find_data(scratch / "a");
  CHECK(a.train.samples == scratch / "a/train-*");
  CHECK(names_of(a.train.shards) == Strings{"train-000.tar", "train-001.tar"});
  REQUIRE((a.validation && a.test));
  CHECK(names_of(a.validation->shards) == Strings{"val-000.tar"});
  CHECK(!a.validation_is_test);
  CHECK(names_of(a.test->shards) == Strings{"test-000.tar"});
  const DataLayout b = find_data(scratch / "b");
  CHECK(names_of(b.train.shards) == Strings{"photos_train.tar"});
  CHECK(b.validation_is_test);
  const DataLayout c = find_data(scratch / "c");
  CHECK(c.kind == DataKind::tar);
  CHECK(c.train.samples == scratch / "c/train");
  CHECK(names_of(c.train.shards) == Strings{"0.tar", "1.tar"});
  CHECK(open_datasets(c).validation->size() == 2);
}

TEST_CASE("the same shard plain and compressed counts once") {
  const Scratch scratch;
  for (const char* name : {"0.tar", "0.tar.gz", "1.tar.gz"}) {
    write_tar(scratch / name, two_classes(2));
  }
  CHECK(names_of(find_data(scratch.path()).train.shards) == Strings{"0.tar", "1.tar.gz"});
}

TEST_CASE("shards of one part alone are that part, and unclear ones are refused") {
  const Scratch scratch;
  write_tar(scratch / "a/test-0.tar", two_classes(2));
  CHECK(find_data(scratch / "a").only_part == PartKind::test);
  write_tar(scratch / "a/val-0.tar", two_classes(2));
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "a"); }),
             Contains("shards of several parts and none is called train"));
  write_tar(scratch / "a/train-0.tar", two_classes(2));
  write_tar(scratch / "a/more.tar", two_classes(2));
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "a"); }),
             Contains("more.tar: would be left out"));
  write_tar(scratch / "b/train/0.tar", two_classes(2));
  scratch.write("b/val/notes.txt", "");
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "b"); }),
             Contains("b/val: has no .tar files, though train/ beside it has"));
  fs::remove_all(scratch / "b/val");
  write_tar(scratch / "b/1.tar", two_classes(2));
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "b"); }),
             Contains("b/1.tar: would be left out"));
}

TEST_CASE("class folders stay what they are beside the archive that they came in") {
  const Scratch scratch;
  for (const char* name : {"cats/1.pgm", "dogs/1.pgm"}) scratch.write(name, grey_image(1));
  write_tar(scratch / "photos.tar", two_classes(2));
  CHECK(find_data(scratch.path()).kind == DataKind::class_folders);
}
