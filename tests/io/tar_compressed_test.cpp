// Tar shards in gzip: whole, damaged, and unpacked where there is no room.

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

/// What zlib's own reader of files gives up to an error.
std::string unpacked(const fs::path& path) {
  const gzFile file = ::gzopen(path.c_str(), "rb");
  std::string bytes(20'000, '\0');
  const int n = ::gzread(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  const bool is_whole = ::gzclose(file) == Z_OK && n >= 0;
  bytes.resize(is_whole ? static_cast<std::size_t>(n) : 0);
  return bytes;
}

}  // namespace

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

TEST_CASE("a compressed archive in which any bit is another one is refused, as gzip -t does") {
  const Scratch scratch;
  const std::string whole = text_of(kShards / "numbers-002.tgz");
  const std::string archive = unpacked(kShards / "numbers-002.tgz");
  REQUIRE(archive.size() == 10240);
  int refused = 0;
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += 7) {
    // What says when, by whom and on which system it was packed changes nothing.
    if (bit / 8 >= 4 && bit / 8 < 10) continue;
    INFO(bit);
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    const fs::path shard = scratch.write("flipped.tgz", flipped);
    if (unpacked(shard) == archive) {  // another way to write the same
      CHECK(open_shards({shard}).size() == 3);
      continue;
    }
    ++refused;
    CHECK_THAT(refusal(scratch, shard), Contains("flipped.tgz: ") && Contains("get it again"));
    // What seems to end early is read as far as it goes; all else is not read.
    (void)error_of([&] {
      const TarShards data = open_shards({shard}, {.skips_damage = true});
      CHECK(data.left_out().loses_images());
    });
  }
  CHECK(refused > 180);
  std::string sum = whole;
  sum[sum.size() - 8] = static_cast<char>(sum[sum.size() - 8] ^ 1);
  CHECK(refusal(scratch, scratch.write("sum.tgz", sum)) ==
        "sum.tgz: cannot be unpacked (incorrect data check); get it again");
  std::string length = whole;
  length.back() = static_cast<char>(length.back() ^ 1);
  CHECK(refusal(scratch, scratch.write("length.tgz", length)) ==
        "length.tgz: cannot be unpacked (incorrect length check); get it again");
}

TEST_CASE(
    "a compressed archive of several members is read whole, and up to the one that is damaged") {
  const Scratch scratch;
  const std::string a = text_of(kShards / "numbers-000.tar");
  const std::string b = text_of(kShards / "numbers-001.tar");
  const std::string first = compressed(a), both = first + compressed(b);
  CHECK(open_shards({scratch.write("both.tgz", both)}).size() == 9);
  CHECK(open_shards({scratch.write("padded.tgz", both + std::string(70'000, '\0'))}).size() == 9);
  CHECK(open_shards({scratch.write("large.tgz", compressed(a + std::string(1 << 20, '\0')))})
            .size() == 5);
  const fs::path more = scratch.write("more.tgz", first + "more");
  CHECK_THAT(refusal(scratch, more),
             Contains("more.tgz: cannot be unpacked (more follows its end)"));
  CHECK(open_shards({more}, {.skips_damage = true}).size() == 5);
  std::string damaged = both;
  damaged[damaged.size() - 8] = static_cast<char>(damaged[damaged.size() - 8] ^ 1);
  const fs::path shard = scratch.write("damaged.tgz", damaged);
  CHECK_THAT(refusal(scratch, shard), Contains("incorrect data check"));
  const TarShards data = open_shards({shard}, {.skips_damage = true});
  CHECK(data.size() == 5);
  CHECK(data.left_out().lines(LeftOutReason::unreadable).size() == 1);
}

TEST_CASE("where nothing can be unpacked, one line says how another folder is named") {
  const Scratch scratch;
  const char* const named = std::getenv("TMPDIR");
  const std::string before = named == nullptr ? "" : named;
  ::setenv("TMPDIR", (scratch / "nowhere").c_str(), 1);
  for (const bool skips : {false, true}) {
    CHECK(error_of([&] { open_shards({kShards / "numbers-002.tgz"}, {.skips_damage = skips}); }) ==
          concat((kShards / "numbers-002.tgz").string(), ": is compressed, and unpacked first: ",
                 (scratch / "nowhere").string(), ": no temporary file can be made in it: ",
                 "No such file or directory; name another folder in TMPDIR"));
  }
  ::setenv("TMPDIR", "/dev/shm", 1);
  const TarShards in_memory = open_shards({kShards / "numbers-002.tgz"});
  CHECK_THAT(in_memory.notes().front(), Contains("in /dev/shm, which lies in memory"));
  ::unsetenv("TMPDIR");
  const TarShards on_disk = open_shards({kShards / "numbers-002.tgz"});
  CHECK_THAT(on_disk.notes().front(), Contains("into a temporary file in /var/tmp"));
  if (named != nullptr) ::setenv("TMPDIR", before.c_str(), 1);
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
