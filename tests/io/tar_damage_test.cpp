// Tar shards that are damaged or made to do harm.

#include "catch.h"
#include "io/tar_files.h"

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

const fs::path kShards = MILLRACE_TEST_DATA "/io/tar";

/// Another value at a place of a header, with the sum made right.
void set_header(std::string& archive, std::size_t header, std::size_t at, std::string_view value) {
  archive.replace(header + at, value.size(), value);
  archive.replace(header + 148, 8, "        ");
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(archive[header + i]);
  std::string digits(6, '0');
  for (std::size_t i = 6; i-- > 0; sum /= 8) digits[i] = static_cast<char>('0' + sum % 8);
  archive.replace(header + 148, 7, digits + '\0');
}

}  // namespace

TEST_CASE(
    "an archive that ends early is refused wherever it was cut, or its whole samples are read") {
  const Scratch scratch;
  const std::string whole = text_of(kShards / "numbers-001.tar");
  const fs::path cut = scratch / "cut.tar";
  // Four samples of 2048 bytes each, and zeros.
  for (std::size_t length = 1; length <= 4 * 2048; length += length % 512 == 0 ? 1 : 511) {
    INFO(length);
    scratch.write("cut.tar", whole.substr(0, length));
    const std::string why = refusal(scratch, cut);
    CHECK_THAT(why, Contains("cut.tar: ") && Contains("get it again"));
    const auto read = [&] {
      const TarShards data = open_shards({cut}, {.skips_damage = true});
      CHECK(data.left_out().count(LeftOutReason::unreadable) == 1);
      CHECK(data.left_out().loses_images());
      return contents(data);
    };
    // A sample is whole once its label is: its header, its block.
    const std::size_t samples = length / 2048 + (length % 2048 >= 1536 + 3 ? 1 : 0);
    // That helps where something is left.
    CHECK((why.find(", or leave out what is missing: --on-bad-image skip") != why.npos) ==
          (samples > 0));
    if (samples == 0) {
      CHECK(!error_of([&] { (void)read(); }).empty());
    } else {
      const Strings all = {"000005.pgm 2 5", "000006.pgm 0 6", "000007.pgm 1 7", "000008.pgm 2 8"};
      CHECK(read() == Strings(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(samples)));
    }
  }
}

TEST_CASE("names of members reach no terminal as they are") {
  const Scratch scratch;
  const std::string name = "bad\n\x1b[31mname.pgm";
  std::string archive =
      text_of(write_tar(scratch / "some.tar", {{name, grey_image(1)}, {"1.cls", "0"}}));
  archive[1024 + 10] ^= 1;  // in the second header
  for (const std::size_t size : {archive.size(), std::size_t{1030}, std::size_t{520}}) {
    const fs::path shard = scratch.write("bad.tar", archive.substr(0, size));
    const std::string why = refusal(scratch, shard);
    CHECK_THAT(why, Contains("bad\\n\\e[31mname.pgm"));
    const std::string left_out = error_of([&] { open_shards({shard}, {.skips_damage = true}); });
    CHECK(left_out.find_first_of("\n\x1b") == std::string::npos);
    const fs::path sound = kShards / "numbers-000.tar";
    const TarShards data = open_shards({shard, sound}, {.skips_damage = true});
    for (const std::string& line : data.left_out().lines()) {
      CHECK(line.find_first_of("\n\x1b") == std::string::npos);
    }
    for (const std::string& note : data.notes()) {
      CHECK(note.find_first_of("\n\x1b") == std::string::npos);
    }
  }
}

TEST_CASE("a header that is damaged ends a shard, and the samples before it are those that count") {
  const Scratch scratch;
  std::string archive = text_of(kShards / "numbers-001.tar");
  archive[2 * 2048 + 10] ^= 1;  // in the third sample's header
  const fs::path shard = scratch.write("bad.tar", archive);
  CHECK_THAT(refusal(scratch, shard), Contains("bad.tar: damaged after '000006.cls'"));
  CHECK(open_shards({shard}, {.skips_damage = true}).size() == 2);
}

TEST_CASE("sizes in headers are not trusted") {
  const Scratch scratch;
  const std::string whole = text_of(kShards / "numbers-000.tar");
  for (const std::string& size :
       {std::string("77777777777\0", 12), std::string("00100000000\0", 12),
        std::string("\x80\0\0\0\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12),
        std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xF0", 12)}) {
    std::string archive = whole;
    set_header(archive, 2048, 124, size);
    const fs::path shard = scratch.write("huge.tar", archive);
    CHECK_THAT(refusal(scratch, shard), Contains("huge.tar: ") && Contains("get it again"));
    CHECK(open_shards({shard}, {.skips_damage = true}).size() == 1);
  }
}

TEST_CASE("what is no tar archive is refused in one line that says so") {
  const Scratch scratch;
  CHECK(refusal(scratch, scratch.write("a.tar", "")) == "a.tar: is empty; get it again");
  CHECK(error_of([&] {
          open_shards({scratch / "a.tar", kShards / "numbers-000.tar"});
        }) == (scratch / "a.tar").string() +
                  ": is empty; get it again, or leave out what is missing: --on-bad-image skip");
  CHECK_THAT(refusal(scratch, scratch.write("b.tar", std::string(3000, 'x'))),
             Contains("b.tar: is no tar archive"));
  CHECK_THAT(refusal(scratch, scratch.write("c.tar", std::string("\x28\xB5\x2F\xFDxxxxxxxx"))),
             Contains("c.tar: is compressed in a way that is not read; unpack it with zstd -d"));
  CHECK_THAT(refusal(scratch, scratch.write("d.tar", std::string("\xFD"
                                                                 "7zXZ\0xxxxxxx",
                                                                 13))),
             Contains("unpack it with xz -d"));
  CHECK_THAT(refusal(scratch, scratch.write("e.tar", "BZh91AY&SY")),
             Contains("unpack it with bzip2 -d"));
  CHECK_THAT(refusal(scratch, scratch / "nowhere.tar"), Contains("nowhere.tar: cannot be opened"));
  CHECK(error_of([&] { open_shards({scratch / "nowhere.tar"}, {.skips_damage = true}); }) ==
        (scratch / "nowhere.tar").string() + ": cannot be opened: No such file or directory");
  fs::create_directory(scratch / "folder.tar");
  CHECK_THAT(refusal(scratch, scratch / "folder.tar"), Contains("folder.tar: cannot be read"));
  CHECK_THAT(refusal(scratch, kShards / "empty.tar"), Contains("empty.tar: no samples"));
}

TEST_CASE("archives that were appended to each other are one, and what follows their end is told") {
  const Scratch scratch;
  const std::string a = text_of(kShards / "numbers-000.tar");
  const std::string b = text_of(kShards / "numbers-001.tar");
  CHECK(open_shards({scratch.write("both.tar", a + b)}).size() == 9);
  CHECK_THAT(refusal(scratch, scratch.write("more.tar", a + std::string(512, 'x'))),
             Contains("more.tar: ") && Contains("get it again"));
}

TEST_CASE("an image in a shard that cannot be decoded is named with its shard") {
  const Scratch scratch;
  const TarShards data = open_shards({write_tar(
      scratch / "some.tar",
      {{"1.pgm", "P5 2 2 255\nab"}, {"1.cls", "0"}, {"2.jpg", "no image"}, {"2.cls", "0"}})});
  REQUIRE(data.size() == 2);
  for (std::uint32_t i = 0; i < 2; ++i) {
    CHECK_THAT(
        error_of([&] { (void)pixel(data, i); }),
        Catch::StartsWith((scratch / "some.tar").string() + (i == 0 ? ":1.pgm: " : ":2.jpg: ")));
  }
}
