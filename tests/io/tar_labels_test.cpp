// Members of tar shards that are no samples, and labels that name no class.

#include "catch.h"
#include "io/tar_files.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

const fs::path kShards = MILLRACE_TEST_DATA "/io/tar";

}  // namespace

TEST_CASE(
    "images without labels, labels without images and names that are there twice are left out") {
  const Scratch scratch;
  Members members = two_classes(3);
  members.emplace_back("lonely.pgm", grey_image(50));
  members.emplace_back("nobody.cls", "1");
  members.emplace_back("nobody.json", "{\"cls\": 1}");
  members.emplace_back("twice.pgm", grey_image(51));
  members.emplace_back("twice.cls", "0");
  members.emplace_back("twice.pgm", grey_image(52));
  members.emplace_back("two.pgm", grey_image(53));
  members.emplace_back("two.ppm", grey_image(54));
  members.emplace_back("two.cls", "0");
  members.emplace_back("labels.pgm", grey_image(55));
  members.emplace_back("labels.cls", "0");
  members.emplace_back("labels.cls", "1");
  members.emplace_back("notes.txt", "hello");
  members.emplace_back(".hidden.pgm", grey_image(56));
  members.emplace_back("../0.pgm", grey_image(57));
  members.emplace_back("/etc/0.pgm", grey_image(58));
  const TarShards data = open_shards({write_tar(scratch / "odd.tar", members)});
  CHECK(contents(data) == Strings{"0.pgm 0 0", "1.pgm 1 1", "2.pgm 0 2"});
  const LeftOut& left_out = data.left_out();
  CHECK(left_out.count(LeftOutReason::no_label) == 2);  // lonely.pgm, /etc/0.pgm
  CHECK(left_out.count(LeftOutReason::no_image) == 2);
  CHECK(left_out.count(LeftOutReason::twice) == 5);
  CHECK(left_out.count(LeftOutReason::ending) == 1);
  CHECK(left_out.count(LeftOutReason::hidden) == 2);
  CHECK(data.notes().back() == concat((scratch / "odd.tar").string(), ": ", left_out.summary()));
}

TEST_CASE("a label that is too large a number is told as that, whatever writes it") {
  const Scratch scratch;
  Members members = two_classes(2);
  int key = 10;
  for (const char* text : {"100000", "4000000000", "99999999999999999999"}) {
    members.emplace_back(concat(++key, ".pgm"), grey_image(9));
    members.emplace_back(concat(key, ".cls"), text);
    members.emplace_back(concat(++key, ".pgm"), grey_image(9));
    members.emplace_back(concat(key, ".json"), concat("{\"label\": ", text, "}"));
  }
  const TarShards data = open_shards({write_tar(scratch / "large.tar", members)});
  CHECK(data.size() == 2);
  const Strings lines = data.left_out().lines(LeftOutReason::label);
  REQUIRE(lines.size() == 3);  // the first names
  for (const std::string& line : lines) {
    CHECK_THAT(line, Contains("label without a class: a number too large for a class"));
  }
  CHECK_THAT(data.notes().back(), Contains("6 labels without a class: a number too large"));
}

TEST_CASE("labels that tell no class are left out with the reason") {
  const Scratch scratch;
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"cls", ""},
      {"cls", " \n"},
      {"cls", "-1"},
      {"cls", "0.5"},
      {"cls", "100000"},
      {"cls", "99999999999999999999"},
      {"cls", "1\n2"},
      {"cls", std::string("a\0b", 3)},
      {"cls", std::string(5000, 'a')},
      {"json", "{\"cls\": -1}"},
      {"json", "{\"cls\": 1.5}"},
      {"json", "{\"cls\": [1]}"},
      {"json", "{\"cls\": null, \"label\": 1}"},
      {"json", "{\"cls\": 0, \"cls\": 1}"},
      {"json", "{\"cls\": 0"},
      {"json", std::string(100'000, '[')},
  };
  Members members = two_classes(2);
  for (std::size_t i = 0; i < bad.size(); ++i) {
    members.emplace_back(concat("bad", i, ".pgm"), grey_image(9));
    members.emplace_back(concat("bad", i, '.', bad[i].first), bad[i].second);
  }
  members.emplace_back("none.pgm", grey_image(9));
  members.emplace_back("none.json", "{\"width\": 2}");
  members.emplace_back("list.pgm", grey_image(9));
  members.emplace_back("list.json", "[1]");
  const TarShards data = open_shards({write_tar(scratch / "bad.tar", members)});
  CHECK(contents(data) == Strings{"0.pgm 0 0", "1.pgm 1 1"});
  CHECK(data.left_out().count(LeftOutReason::label) == bad.size());
  CHECK(data.left_out().count(LeftOutReason::no_label) == 2);
}

TEST_CASE("members that are stored sparse are left out and named") {
  for (const char* name : {"sparse-gnu.tar", "sparse-pax.tar"}) {
    const TarShards data = open_shards({kShards / name});
    CHECK(contents(data) == Strings{"2.pgm 1 2"});
    CHECK(data.left_out().lines(LeftOutReason::unreadable) ==
          Strings{(kShards / name).string() + ":1.pgm: cannot be read: stored as a sparse file"});
  }
}

TEST_CASE("classes that are numbers here and names there are refused") {
  const Scratch scratch;
  const fs::path shard = write_tar(scratch / "mixed.tar", {{"1.pgm", grey_image(1)},
                                                           {"1.cls", "3"},
                                                           {"2.pgm", grey_image(2)},
                                                           {"2.cls", "2020-01-01"}});
  CHECK(refusal(scratch, shard) ==
        "mixed.tar: some classes are numbers, such as 3, and some are names, such as '2020-01-01'; "
        "pack them with one kind");
  const fs::path bare = write_tar(scratch / "bare.tar", {{"1.pgm", grey_image(1)}});
  CHECK_THAT(refusal(scratch, bare),
             Contains("bare.tar: images without labels; expected 000123.cls"));
}
