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
  const std::string last = "s-18446744073709551615.tar";
  CHECK(shards_matching("{s,t}-{18446744073709551615..18446744073709551615}.tar").front() == last);
  std::string many = "s.tar";
  for (int i = 0; i < 100'000; ++i) many.insert(0, "{}");
  CHECK(shards_matching(many + "{a,b}.tar").size() == 2);
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
  CHECK(shards_of(scratch / "s-1*") == Strings{"s-1.tar", "s-10.TAR.GZ"});
  CHECK(shards_of(scratch / "{s-1,s-0}.tar") == Strings{"s-1.tar", "s-0.tar"});
  CHECK(shards_of(scratch.path()) == Strings{"s-0.tar", "s-1.tar", "s-10.TAR.GZ", "s-2.tgz"});
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "t-*.tar"); }),
             Contains("t-*.tar: No such file") && Contains("it must match .tar files alone"));
  scratch.write("more/s.txt", "");
  write_tar(scratch / "more/s.tar", two_classes(2));
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "more/*"); }),
             Contains("more/*: No such file"));
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

TEST_CASE("a shard counts once in a folder and in a pattern, by whatever names it is there") {
  const Scratch scratch;
  write_tar(scratch / "S/x-0.tar", two_classes(20));
  for (const char* name : {"x-0.tar.gz", "x-0.tgz"}) write_tar(scratch / "S" / name, {});
  fs::create_symlink("x-0.tar", scratch / "S/x-1.tar");
  fs::create_hard_link(scratch / "S/x-0.tar", scratch / "S/x-2.tar");
  fs::create_directory_symlink("S", scratch / "T");
  for (const char* data :
       {"S", "S/x*", "S/x-*", "S/{x*,x-0}.tar", "S/x-0.{tar,tgz}", "S/x-{0..2}.tar",
        "{S,S/.}/x-0.tar", "{S,T}/x-0.tar", "S/x-0.{tgz,tar}"}) {
    INFO(data);
    const DataLayout layout = find_data(scratch / data);
    CHECK(names_of(layout.train.shards) == Strings{"x-0.tar"});
    const Datasets sets = open_datasets(layout);
    CHECK(sets.train->size() == 20);
    CHECK(sets.train->left_out().count(LeftOutReason::shard_again) > 0);
    CHECK_THAT(sets.train->notes().back(), Contains("of another one") || Contains("of others"));
  }
  for (const char* name : {"x-1.tgz", "x-9.tar"}) write_tar(scratch / "S" / name, two_classes(2));
  for (const char* data : {"S", "S/{x-0.tgz,x-0.tar,x-2.tar,x-1.tar,x-9.tar,x-1.tgz}"}) {
    CHECK(names_of(find_data(scratch / data).train.shards) == Strings{"x-0.tar", "x-9.tar"});
  }
  write_tar(scratch / "other/x-0.tar", two_classes(20));  // of that name elsewhere
  CHECK(find_data(scratch / "{S,other}/x-0.tar").train.shards.size() == 2);
}

TEST_CASE("what lies beside shards is noted, and shards there that would be left out are refused") {
  const Scratch scratch;
  write_tar(scratch / "a/0.tar", two_classes(2));
  for (const char* name : {"a/1.png", "a/stats.json", "a/classnames.txt", "a/old/1.tar", "a/.x"}) {
    scratch.write(name, "cats\ndogs\n");
  }
  fs::create_directory(scratch / "a/empty");
  const Datasets sets = open_datasets(find_data(scratch / "a"), {}, {.names_left_out = 10});
  CHECK(sets.train->left_out().lines() ==
        Strings{(scratch / "a/1.png").string() + ": file or folder beside the shards",
                (scratch / "a/old").string() + ": file or folder beside the shards",
                (scratch / "a/stats.json").string() + ": file or folder beside the shards"});
  CHECK(sets.train->left_out().counts().front().first == std::string("beside_shards"));

  write_tar(scratch / "b/train/0.tar", two_classes(2));
  scratch.write("b/README", "");
  CHECK(open_datasets(find_data(scratch / "b")).train->left_out().total() == 1);
  write_tar(scratch / "b/extra/0.tar", two_classes(2));
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "b"); }),
             Contains("b/extra: would be left out"));
  write_tar(scratch / "c/val/0.tar", two_classes(2));
  write_tar(scratch / "c/0.tar", two_classes(2));
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "c"); }),
             Contains("c/val: has shards that would be left out") &&
                 Contains("as in '" + (scratch / "c/*.tar").string() + "'"));
}

TEST_CASE("shards that are compressed in another way are no other files but refused") {
  const Scratch scratch;
  const std::vector<std::pair<std::string, std::string>> others = {
      {"tar.zst", std::string("\x28\xB5\x2F\xFD", 4)},
      {"tar.xz", std::string("\xFD\x37zXZ\0", 6)},
      {"tar.bz2", "BZh91AY&SY"},
      {"tar.lz4", "\x04\x22\x4D\x18"},
      {"txz", std::string("\xFD\x37zXZ\0", 6)},
      {"tar.lz", "LZIP"},
      {"tar.lzma", std::string("\x5D\0\0\x80\0", 5)},
      {"tar.Z", "\x1F\x9D\x90"}};
  for (const auto& [ending, start] : others) {
    INFO(ending);
    const fs::path folder = scratch / ("folder-" + ending);
    write_tar(folder / "a.tar", two_classes(2));
    const fs::path shard =
        scratch.write(concat("folder-", ending, "/b.", ending), start + std::string(20, 'x'));
    for (const fs::path& data : {folder, shard, folder / "*"}) {
      CHECK_THAT(error_of([&] { (void)open_datasets(find_data(data)); }),
                 Contains(shard.string() + ": is compressed in a way that is not read; unpack it"));
    }
  }
}

TEST_CASE("parts by a word in names stay apart, however the names begin") {
  const Scratch scratch;
  for (const char* name : {"a-train-0.tar", "b-train-0.tar", "a-val-0.tar", "b-val-0.tar",
                           "a_testing.tar", "b_testing.tar"}) {
    write_tar(scratch / name, two_classes(2));
  }
  const DataLayout layout = find_data(scratch.path());
  CHECK(layout.train.samples == scratch / "*train*");
  CHECK(names_of(layout.train.shards) == Strings{"a-train-0.tar", "b-train-0.tar"});
  REQUIRE((layout.validation && layout.test));
  CHECK(layout.validation->samples == scratch / "*val*");
  CHECK(layout.test->samples == scratch / "*testing*");
  CHECK(names_of(find_data(scratch / "*val*").train.shards) == names_of(layout.validation->shards));
}

TEST_CASE("a pattern that names several parts says that they are taken as one") {
  const Scratch scratch;
  for (const char* name : {"train-0.tar", "val-0.tar", "c/train/0.tar", "c/val/0.tar"}) {
    write_tar(scratch / name, two_classes(2));
  }
  for (const char* data : {"*.tar", "c/{train,val}/0.tar"}) {
    const DataLayout layout = find_data(scratch / data);
    CHECK(layout.train.shards.size() == 2);
    REQUIRE(layout.notes.size() == 1);
    CHECK_THAT(layout.notes.front(),
               Contains("shards of several parts, such as ") && Contains("name their folder"));
  }
  CHECK(find_data(scratch / "train-*.tar").notes.empty());
}

TEST_CASE("shards of one part alone are that part, and unclear ones are refused") {
  const Scratch scratch;
  write_tar(scratch / "a/test-0.tar", two_classes(2));
  CHECK(find_data(scratch / "a").only_part == PartKind::test);
  write_tar(scratch / "a/val-0.tar", two_classes(2));
  CHECK_THAT(error_of([&] { (void)find_data(scratch / "a"); }),
             Contains("shards of several parts and none is called train") &&
                 Contains("as in '" + (scratch / "a/val-0.tar").string() + "'"));
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
