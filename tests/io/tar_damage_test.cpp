// Tar shards that are damaged, made to do harm, or hold what is no sample.

#include "catch.h"
#include "io/tar_files.h"

#include <sys/resource.h>
#include <csignal>
#include <cstdlib>

using namespace millrace;
using namespace millrace::test;
namespace fs = std::filesystem;
using Catch::Contains;
using Strings = std::vector<std::string>;

namespace {

const fs::path kShards = MILLRACE_TEST_DATA "/io/tar";

/// What is said of a file instead of samples, less the folder.
std::string refusal(const Scratch& scratch, const fs::path& shard) {
  std::string error = error_of([&] { open_shards({shard}); });
  const std::string folder = scratch.path().string() + '/';
  for (std::size_t at = 0; (at = error.find(folder)) != std::string::npos;) {
    error.erase(at, folder.size());
  }
  CHECK(error.find('\n') == std::string::npos);
  return error;
}

/// As gzip writes it.
std::string compressed(const std::string& bytes) {
  const Scratch scratch;
  const gzFile file = ::gzopen((scratch / "some.gz").c_str(), "wb");
  ::gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  ::gzclose(file);
  return text_of(scratch / "some.gz");
}

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
    CHECK_THAT(refusal(scratch, cut), Contains("cut.tar: ") && Contains("get it again") &&
                                          Contains("--on-bad-image skip"));
    const auto read = [&] {
      const TarShards data = open_shards({cut}, {.skips_damage = true});
      CHECK(data.left_out().count(LeftOutReason::unreadable) == 1);
      CHECK(data.left_out().loses_images());
      return contents(data);
    };
    // A sample is whole once its label is: its header, its block.
    const std::size_t samples = length / 2048 + (length % 2048 >= 1536 + 3 ? 1 : 0);
    if (samples == 0) {
      CHECK(!error_of([&] { (void)read(); }).empty());
    } else {
      const Strings all = {"000005.pgm 2 5", "000006.pgm 0 6", "000007.pgm 1 7", "000008.pgm 2 8"};
      CHECK(read() == Strings(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(samples)));
    }
  }
}

TEST_CASE(
    "a compressed archive that ends early or is damaged is refused, or read as far as it goes") {
  const Scratch scratch;
  const std::string whole = text_of(kShards / "numbers-002.tgz");
  for (std::size_t length = 2; length < whole.size(); length += 9) {
    INFO(length);
    const fs::path cut = scratch.write("cut.tgz", whole.substr(0, length));
    CHECK_THAT(refusal(scratch, cut), Contains("cut.tgz: ") && Contains("get it again"));
  }
  Members members;
  for (int i = 0; i < 200; ++i) {
    members.emplace_back(concat(i, ".pgm"), grey_image(i));
    members.emplace_back(concat(i, ".cls"), "0");
  }
  const std::string many = compressed(text_of(write_tar(scratch / "many.tar", members)));
  const fs::path cut = scratch.write("cut.tgz", many.substr(0, many.size() - 20));
  const TarShards data = open_shards({cut}, {.skips_damage = true});
  CHECK(data.size() > 100);
  CHECK(pixel(data, 100) == 100);
  CHECK(data.left_out().count(LeftOutReason::unreadable) == 1);
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
  CHECK(refusal(scratch, scratch.write("a.tar", "")) ==
        "a.tar: is empty; get it again, or leave out what is missing: --on-bad-image skip");
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

TEST_CASE("where a compressed shard finds no room, one line says what to do") {
  const Scratch scratch;
  const fs::path shard = scratch.write("full.tgz", text_of(kShards / "numbers-002.tgz"));
  ::rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  ::rlimit little = before;
  little.rlim_cur = 4096;
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &little);
  const std::string error = error_of([&] { open_shards({shard}); });
  const std::string skipping = error_of([&] { open_shards({shard}, {.skips_damage = true}); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old);
  CHECK_THAT(error, Contains("full.tgz: no room for what it holds") && Contains("TMPDIR"));
  CHECK(skipping == error);
}
