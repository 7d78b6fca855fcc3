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
