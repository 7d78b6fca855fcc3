// Tar shards as others pack them, read as they read them (tests/reference/record_tar.py).

#include "catch.h"
#include "io/tar_files.h"

#include <millrace/io/detail/tar_reader.h>

#include <nlohmann/json.hpp>

#include <array>
#include <fstream>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

const fs::path kShards = MILLRACE_TEST_DATA "/io/tar";

const nlohmann::json& recorded() {
  static const nlohmann::json json = [] {
    std::ifstream file(MILLRACE_TEST_DATA "/io/tar.json");
    return nlohmann::json::parse(file);
  }();
  return json;
}

/// Its bytes, which were recorded as code points.
std::string bytes_of(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      bytes += text[i];
    } else {
      bytes += static_cast<char>((byte & 3U) << 6 | (static_cast<unsigned char>(text[++i]) & 63U));
    }
  }
  return bytes;
}

std::string left_out(const Dataset& data) {
  return data.left_out().summary();
}

}  // namespace

TEST_CASE("names and contents of archives lie where Python's tarfile finds them") {
  for (const auto& [name, members] : recorded().at("members").items()) {
    if (name.ends_with(".tgz")) continue;  // places in what is unpacked
    INFO(name);
    const RandomAccessFile file(kShards / name);
    detail::TarReader reader(file, 0, file.size(), name);
    std::vector<detail::TarMember> found;
    for (detail::TarMember member; reader.next(member);) {
      if (member.kind == detail::TarMember::file) found.push_back(member);
    }
    REQUIRE(found.size() == members.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      CHECK(found[i].name == bytes_of(members[i][0]));
      CHECK(found[i].offset == members[i][1]);
      CHECK(found[i].length == members[i][2]);
    }
  }
}

TEST_CASE("samples of shards are those that webdataset reads, with their labels and images") {
  for (const auto& [name, samples] : recorded().at("samples").items()) {
    const TarShards data = open_shards({kShards / name});
    Strings expected;
    for (const auto& sample : samples) {
      expected.push_back(concat(sample[0].get<std::string>(), '.', sample[1].get<std::string>(),
                                ' ', sample[2].get<std::string>(), ' ', sample[3].get<int>()));
    }
    CHECK(contents(data) == expected);
    CHECK(left_out(data).empty());
  }
  CHECK(open_shards({kShards / "named.tar"}).classes() == Strings{"cat", "dog", "owl"});
}

TEST_CASE("shards follow each other and tell where each begins, a compressed one among them") {
  const TarShards data = open_shards(
      {kShards / "numbers-000.tar", kShards / "numbers-001.tar", kShards / "numbers-002.tgz"});
  REQUIRE(data.size() == 12);
  for (std::uint32_t i = 0; i < 12; ++i) {
    CHECK(pixel(data, i) == static_cast<int>(i));
    CHECK(data.label(i) == static_cast<int>(i % 3));
  }
  CHECK(pixel(data, 11) == 11);  // in any order
  CHECK(pixel(data, 0) == 0);
  CHECK(Strings(data.classes()) == Strings{"0", "1", "2"});
  const auto firsts = data.shards();
  CHECK(std::vector<std::uint32_t>(firsts.begin(), firsts.end()) ==
        std::vector<std::uint32_t>{0, 5, 9});
  CHECK(data.name(10) == (kShards / "numbers-002.tgz").string() + ":000010.pgm");
  REQUIRE(data.notes().size() == 1);
  CHECK_THAT(data.notes()[0], Contains("unpacked 10 KiB into a temporary file in "));
  Decoder decoder;
  CHECK(data.info(10, decoder).width == 2);
  std::array<std::byte, 2> start{};
  const auto read = data.read_start(10, start);
  REQUIRE(read);
  CHECK(read->length == 15);
  CHECK(start == std::array{std::byte{'P'}, std::byte{'5'}});
}

TEST_CASE("a compressed archive is known by its content, whatever it is called") {
  const Scratch scratch;
  fs::copy_file(kShards / "numbers-002.tgz", scratch / "plain.tar");
  fs::copy_file(kShards / "numbers-000.tar", scratch / "compressed.tar.gz");
  CHECK(open_shards({scratch / "plain.tar"}).size() == 3);
  CHECK(open_shards({scratch / "compressed.tar.gz"}).size() == 5);
}

TEST_CASE("without labels the class of an image is its folder behind those that all share") {
  const TarShards data = open_shards({kShards / "folders.tar"});
  CHECK(contents(data) == Strings{"photos/cats/1.pgm cats 0", "photos/dogs/old/2.pgm dogs 1",
                                  "photos/cats/3.v2.pgm cats 2"});
  const Scratch scratch;
  const auto classes = [&](const Members& members) {
    fs::remove(scratch / "some.tar");
    return open_shards({write_tar(scratch / "some.tar", members)}).classes();
  };
  CHECK(classes({{"cats/1.pgm", grey_image(1)}}) == Strings{"cats"});
  CHECK(classes({{"./a/cats/1.pgm", grey_image(1)}, {"a/dogs/1.pgm", grey_image(1)}}) ==
        Strings{"cats", "dogs"});
  CHECK(classes({{"a/cats/x/1.pgm", grey_image(1)}, {"a/2.pgm", grey_image(1)}}) == Strings{"a"});
  CHECK(classes({{"cats/1.pgm", grey_image(1)}, {"cats/1.json", "{\"width\": 2}"}}) ==
        Strings{"cats"});
}

TEST_CASE("names of any bytes and length are read as they are stored") {
  for (const char* name : {"names-pax.tar", "names-gnu.tar"}) {
    const TarShards data = open_shards({kShards / name}, {.needs_labels = false});
    REQUIRE(data.size() == 6);
    for (std::uint32_t i = 0; i < data.size(); ++i) {
      const std::string expected = bytes_of(recorded()["members"][name][i][0]);
      CHECK(data.name(i) == (kShards / name).string() + ':' + expected);
      CHECK(pixel(data, i) == static_cast<int>(i));
    }
    // Two folders whose names look alike are two classes.
    const TarShards classes = open_shards({kShards / name});
    CHECK(classes.classes().size() == 4);
  }
}

TEST_CASE("links and pipes in archives are left out and counted, and nothing outside is read") {
  const TarShards data = open_shards({kShards / "links.tar"});
  CHECK(contents(data) == Strings{"1.pgm 0 1", "4.pgm 1 4"});
  CHECK(data.left_out().count(LeftOutReason::link) == 2);
  CHECK(data.left_out().count(LeftOutReason::special) == 1);
  CHECK(data.left_out().count(LeftOutReason::no_image) == 1);
  CHECK_THAT(data.notes().back(), Contains("2 links within archives") && Contains(":2.pgm"));
}

TEST_CASE("names of classes come from classnames.txt beside the shards or the parts") {
  const Scratch scratch;
  write_tar(scratch / "all/000.tar", two_classes(4));
  scratch.write("all/classnames.txt", "cats\r\nowls and\tother birds\nnone\n");
  CHECK(open_shards({scratch / "all/000.tar"}).classes() ==
        Strings{"cats", "owls and\tother birds", "none"});
  write_tar(scratch / "parts/test/000.tar", two_classes(4));
  scratch.write("parts/classnames.txt", "cats\ndogs");
  CHECK(open_shards({scratch / "parts/test/000.tar"}).classes() == Strings{"cats", "dogs"});
  scratch.write("parts/classnames.txt", "cats\n");
  CHECK_THAT(
      error_of([&] { open_shards({scratch / "parts/test/000.tar"}); }),
      Contains("classnames.txt: 1 name for the classes from 0 on, and none for the class 1"));
  scratch.write("parts/classnames.txt", "cats\ncats\n");
  CHECK_THAT(error_of([&] { open_shards({scratch / "parts/test/000.tar"}); }),
             Contains("classnames.txt:2: the name 'cats' is there twice"));
  scratch.write("parts/classnames.txt", "cats\n\ndogs\n");
  CHECK_THAT(error_of([&] { open_shards({scratch / "parts/test/000.tar"}); }),
             Contains("classnames.txt:2: no name"));
}

TEST_CASE("shards of several folders have the names of their own folder each, matched by name") {
  const Scratch scratch;
  Members members;
  for (int i = 0; i < 4; ++i) {
    members.emplace_back(concat(i, ".pgm"), grey_image(i));
    members.emplace_back(concat(i, ".cls"), std::to_string(i % 3));
  }
  for (const char* name : {"a/0.tar", "a/1.tar", "b/0.tar"}) write_tar(scratch / name, members);
  const fs::path a0 = scratch / "a/0.tar", a1 = scratch / "a/1.tar", b = scratch / "b/0.tar";
  const Strings of_a = {"0.pgm x 0", "1.pgm y 1", "2.pgm z 2", "3.pgm x 3"};
  const Strings of_b = {"0.pgm z 0", "1.pgm y 1", "2.pgm w 2", "3.pgm z 3"};
  const auto joined = [](const std::vector<Strings>& parts) {
    Strings all;
    for (const Strings& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  scratch.write("a/classnames.txt", "x\ny\nz\n");
  CHECK_THAT(error_of([&] {
               open_shards({a0, b});
             }),
             Contains("b/classnames.txt: is not there, though ") && Contains("give both folders"));
  CHECK_THAT(error_of([&] { open_shards({b, a0}); }), Contains("b/classnames.txt: is not there"));
  scratch.write("b/classnames.txt", "z\ny\nw\n");
  const TarShards ab = open_shards({a0, b, a1});
  CHECK(ab.classes() == Strings{"x", "y", "z", "w"});
  CHECK(contents(ab) == joined({of_a, of_b, of_a}));
  const TarShards ba = open_shards({b, a0});
  CHECK(ba.classes() == Strings{"z", "y", "w", "x"});
  CHECK(contents(ba) == joined({of_b, of_a}));
  scratch.write("b/classnames.txt", "z\ny\n");
  CHECK_THAT(
      error_of([&] {
        open_shards({a0, b});
      }),
      Contains("b/classnames.txt: 2 names for the classes from 0 on, and none for the class 2"));
}

TEST_CASE("classnames.txt is said to be of no use where labels or folders name the classes") {
  const Scratch scratch;
  scratch.write("classnames.txt", "x\ny\n");
  const fs::path names = scratch / "classnames.txt";
  const fs::path shard = write_tar(scratch / "a.tar", {{"1.pgm", grey_image(1)}, {"1.cls", "owl"}});
  CHECK(open_shards({shard}).notes() ==
        Strings{names.string() + ": not used, since the classes are named by the labels"});
  const fs::path folders = write_tar(scratch / "b.tar", {{"owl/1.pgm", grey_image(1)}});
  CHECK(open_shards({folders}).notes() ==
        Strings{names.string() + ": not used, since the classes are folders"});
}

TEST_CASE("labels of other writers are read, with a byte order mark and as numbers with a point") {
  const Scratch scratch;
  const Members members = {{"0.pgm", grey_image(0)},
                           {"0.cls",
                            "\xEF\xBB\xBF"
                            "1\r\n"},
                           {"1.pgm", grey_image(1)},
                           {"1.json", "{\"label\": 1.0}"},
                           {"2.pgm", grey_image(2)},
                           {"2.json", "\xEF\xBB\xBF{\"cls\": 0e0}"}};
  CHECK(contents(open_shards({write_tar(scratch / "n.tar", members)})) ==
        Strings{"0.pgm 1 0", "1.pgm 1 1", "2.pgm 0 2"});
  const fs::path named = write_tar(scratch / "w.tar", {{"0.pgm", grey_image(0)},
                                                       {"0.cls",
                                                        "\xEF\xBB\xBF"
                                                        "owl"}});
  CHECK(open_shards({named}).classes() == Strings{"owl"});
}

TEST_CASE(
    "an archive whose folders are called train and val holds parts, and no classes of that name") {
  const Scratch scratch;
  const auto refused = [&](const Members& members) {
    fs::remove(scratch / "pv.tar");
    return error_of([&] { open_shards({write_tar(scratch / "pv.tar", members)}); });
  };
  const std::string image = grey_image(1);
  CHECK_THAT(
      refused({{"pv/train/cats/1.pgm", image}, {"pv/val/cats/2.pgm", image}}),
      Contains("pv.tar: its folders are the parts train/ and val/ of a data set, not classes; "
               "pack each part into a shard of its own, train.tar and val.tar"));
  CHECK_THAT(refused({{"train/1.pgm", image}, {"Test/2.pgm", image}, {"val/1.pgm", image}}),
             Contains("the parts train/ and "));
  CHECK(refused({{"train/1.pgm", image}, {"plane/2.pgm", image}}).empty());
  CHECK(refused({{"test/1.pgm", image}, {"val/2.pgm", image}}).empty());
  CHECK(refused({{"train/cats/1.pgm", image}, {"train/dogs/2.pgm", image}}).empty());
}

TEST_CASE("more shards than may be open at once are read, and one that changes is told") {
  const Scratch scratch;
  std::vector<fs::path> shards;
  for (int i = 0; i < 140; ++i) {
    shards.push_back(write_tar(scratch / (std::to_string(i) + ".tar"), two_classes(2, i)));
  }
  const TarShards data = open_shards(shards);
  REQUIRE(data.size() == 280);
  for (std::uint32_t i = 0; i < 280; ++i) CHECK(pixel(data, i) == static_cast<int>(i / 2 + i % 2));
  fs::resize_file(shards.back(), 512);
  CHECK_THAT(error_of([&] { (void)pixel(data, 279); }),
             Contains("has changed since it was opened"));
}
