#include <millrace/io/large_images.h>

#include <millrace/io/decode.h>
#include <millrace/io/files.h>

#include "catch.h"
#include "io/scratch.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

namespace {

namespace fs = std::filesystem;

constexpr int kSide = 40;
using Pixels = std::array<std::uint8_t, kSide * kSide * 3>;

// In the file's folder; all kinds of files, of 61 x 47 pixels.
std::vector<fs::path> images() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(MILLRACE_TEST_DATA "/io/pictures")) {
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Pixels decoded(Decoder& decoder, const fs::path& file) {
  Pixels pixels{};
  decoder.decode_file(file, {pixels.data(), kSide, kSide, 3}, Filter::bilinear);
  return pixels;
}

}  // namespace

TEST_CASE("turns never add up to more than there is, and everybody gets one") {
  constexpr std::uint64_t kAll = 100;
  constexpr int kThreads = 8;
  SharedBytes shared{Bytes{kAll}};
  std::atomic<std::uint64_t> taken{0}, most{0}, turns{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const Bytes wanted{static_cast<std::uint64_t>(1 + (37 * t + 11 * i) % 100)};
        const SharedBytes::Turn turn = shared.take(wanted);
        const std::uint64_t now = taken += turn.bytes().count;
        for (std::uint64_t before = most; before < now;) {
          if (most.compare_exchange_weak(before, now)) break;
        }
        taken -= turn.bytes().count;
        ++turns;
      }
    });
  }
  threads.clear();
  CHECK(turns == kThreads * 500);
  CHECK(most <= kAll);
  CHECK(shared.take(Bytes{kAll}).bytes() == Bytes{kAll});  // all of it came back
}

TEST_CASE("whoever wants much is served before those who ask for little after it") {
  SharedBytes shared{10_B};
  SharedBytes::Turn first = shared.take(6_B);
  auto large = std::async(std::launch::async, [&] { return shared.take(10_B); });
  while (shared.waiting() < 1) std::this_thread::yield();
  std::atomic<bool> is_served{false};
  auto small = std::async(std::launch::async, [&] {
    SharedBytes::Turn turn = shared.take(1_B);
    is_served = true;
    return turn;
  });
  while (shared.waiting() < 2) std::this_thread::yield();
  CHECK_FALSE(is_served);  // though there is room for it
  first = {};
  {
    const SharedBytes::Turn turn = large.get();
    CHECK_FALSE(is_served);
  }
  CHECK(small.get().bytes() == 1_B);
}

TEST_CASE("a turn can be moved, and goes back once") {
  SharedBytes shared{10_B};
  SharedBytes::Turn turn = shared.take(10_B);
  SharedBytes::Turn other = std::move(turn);
  CHECK(turn.bytes() == 0_B);  // NOLINT(bugprone-use-after-move): that is what is asked
  turn = std::move(other);
  turn = {};
  CHECK(shared.take(10_B).bytes() == 10_B);
}

TEST_CASE("files and images beyond a decoder's own memory are decoded in what all share") {
  Decoder usual;
  for (const fs::path& file : images()) {
    INFO(file);
    Decoder small({.max_scratch = 100_B, .large = std::make_shared<LargeImages>(64_KiB, 256_KiB)});
    CHECK(decoded(small, file) == decoded(usual, file));
    CHECK(small.scratch_bytes() < 64_KiB);  // the file's memory went back
    CHECK(small.info(file).height == 47);
  }
}

TEST_CASE("decoders of many threads share memory that is enough for one of them at a time") {
  const std::vector<fs::path> files = images();
  std::vector<Pixels> expected;
  Decoder usual;
  for (const fs::path& file : files) expected.push_back(decoded(usual, file));
  const auto large = std::make_shared<LargeImages>(16_KiB, 40_KiB);
  std::atomic<int> equal{0};
  std::vector<std::jthread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      Decoder decoder({.max_scratch = 100_B, .large = large});
      for (std::size_t i = 0; i < files.size(); ++i) {
        equal += decoded(decoder, files[i]) == expected[i] ? 1 : 0;
      }
    });
  }
  threads.clear();
  CHECK(equal == 8 * static_cast<int>(files.size()));
  CHECK(large->files.take(16_KiB).bytes() == 16_KiB);
  CHECK(large->images.take(40_KiB).bytes() == 40_KiB);
}

TEST_CASE("an image that is too large for what all share is refused, and leaves it whole") {
  const fs::path folder = MILLRACE_TEST_DATA "/io/pictures";
  const auto error = [&](const char* name, const std::shared_ptr<LargeImages>& large) {
    Decoder decoder({.max_scratch = 100_B, .large = large});
    return error_of([&] { (void)decoded(decoder, folder / name); });
  };
  for (const char* name : {"rgb.png", "rgb16.png", "progressive.jpg", "rgb.bmp", "rgb.tga"}) {
    INFO(name);
    const auto few_pixels = std::make_shared<LargeImages>(64_KiB, 4_KiB);
    const std::string text = error(name, few_pixels);
    CHECK(text.starts_with((folder / name).string() + ": decoding it takes "));
    CHECK_THAT(text, Contains("more than the 4 KiB that an image may; shrink it or raise "
                              "--memory-budget"));
    CHECK(few_pixels->files.take(64_KiB).bytes() == 64_KiB);
    CHECK(few_pixels->images.take(4_KiB).bytes() == 4_KiB);
    CHECK_THAT(error(name, std::make_shared<LargeImages>(200_B, 1_MiB)),
               Contains("more than the 200 B that the file of an image may be; shrink it or raise "
                        "--memory-budget"));
  }
}

TEST_CASE("damage in an image that took a turn is told as damage") {
  const Scratch scratch;
  std::vector<std::byte> file = read_file(MILLRACE_TEST_DATA "/io/pictures/rgb.png");
  file.resize(file.size() / 2);
  write_file(scratch / "cut.png", file);
  const auto large = std::make_shared<LargeImages>(64_KiB, 256_KiB);
  Decoder decoder({.max_scratch = 100_B, .large = large});
  CHECK_THAT(error_of([&] { (void)decoded(decoder, scratch / "cut.png"); }),
             Contains("ends early; get it again"));
  CHECK(large->images.take(256_KiB).bytes() == 256_KiB);
}
