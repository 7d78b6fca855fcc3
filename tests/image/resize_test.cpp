#include <millrace/image/resize.h>

#include "catch.h"

#include <hwy/targets.h>
#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace millrace;

namespace {

using Samples = std::vector<std::uint8_t>;

// IEEE CRC-32, bit by bit: the test needs no library for it.
std::uint32_t crc32(const Samples& bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const std::uint8_t byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

// What tests/reference/record_resize.py draws.
Samples drawn(const std::string& kind, std::size_t n, std::uint32_t seed) {
  Samples values(n);
  for (std::uint8_t& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<std::uint8_t>(seed >> 24);
    if (kind == "edges") value = (value & 4U) != 0 ? 255 : 0;
  }
  return values;
}

struct Case {
  std::string filter, kind;
  int channels = 0, in_height = 0, in_width = 0, out_height = 0, out_width = 0;
  std::uint32_t crc = 0;
};

std::vector<Case> recorded() {
  std::ifstream file(MILLRACE_TEST_DATA "/image/resize.csv");
  std::vector<Case> cases;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#") || line.starts_with("filter")) continue;
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream words(line);
    Case one;
    words >> one.filter >> one.kind >> one.channels >> one.in_height >> one.in_width >>
        one.out_height >> one.out_width >> std::hex >> one.crc;
    if (words) cases.push_back(one);
  }
  return cases;
}

std::size_t elements(int height, int width, int channels) {
  return static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
         static_cast<std::size_t>(channels);
}

void check(const Case& one, Resizer& resizer) {
  const Samples source = drawn(one.kind, elements(one.in_height, one.in_width, one.channels), 1);
  Samples target(elements(one.out_height, one.out_width, one.channels));
  resizer.resize({source.data(), one.in_height, one.in_width, one.channels},
                 {target.data(), one.out_height, one.out_width, one.channels},
                 filter_from_name(one.filter));
  INFO(one.filter << ' ' << one.kind << ' ' << one.channels << " channels, " << one.in_height << 'x'
                  << one.in_width << " to " << one.out_height << 'x' << one.out_width);
  CHECK(crc32(target) == one.crc);
}

Samples row_resized(const Samples& row, int out, Filter filter) {
  Samples result(static_cast<std::size_t>(out));
  Resizer resizer;
  resizer.resize({row.data(), 1, static_cast<int>(row.size()), 1}, {result.data(), 1, out, 1},
                 filter);
  return result;
}

}  // namespace

TEST_CASE("resizing equals Pillow to the byte for every filter, up and down, grey and colour") {
  const std::vector<Case> cases = recorded();
  REQUIRE(cases.size() == 528);
  // With every instruction set that this processor has, from the oldest on.
  const std::int64_t supported = hwy::SupportedTargets();
  for (std::int64_t target_set = std::int64_t{1} << 61; target_set > 0; target_set >>= 1) {
    if ((supported & target_set) == 0) continue;
    hwy::SetSupportedTargetsForTest(target_set);
    INFO("instruction set " << hwy::TargetName(target_set));
    Resizer resizer;
    for (const Case& one : cases) check(one, resizer);
  }
  hwy::SetSupportedTargetsForTest(0);  // all again
}

TEST_CASE("a row of seven pixels gives the documented values of every filter") {
  // Pillow on 10 20 40 80 160 250 30, to 3 and to 10 pixels.
  const Samples row = {10, 20, 40, 80, 160, 250, 30};
  CHECK(row_resized(row, 3, Filter::nearest) == Samples{20, 80, 250});
  CHECK(row_resized(row, 3, Filter::box) == Samples{15, 93, 140});
  CHECK(row_resized(row, 3, Filter::bilinear) == Samples{21, 96, 152});
  CHECK(row_resized(row, 3, Filter::hamming) == Samples{19, 91, 154});
  CHECK(row_resized(row, 3, Filter::bicubic) == Samples{15, 100, 154});
  CHECK(row_resized(row, 3, Filter::lanczos) == Samples{8, 105, 157});
  CHECK(row_resized(row, 10, Filter::lanczos) == Samples{10, 14, 24, 39, 62, 99, 167, 255, 149, 9});
}

TEST_CASE("a target with gaps between its rows is filled without touching the gaps") {
  const Samples source = drawn("noise", elements(20, 30, 3), 7);
  Samples dense(elements(9, 11, 3));
  Samples gapped(9 * 50, 77);
  Resizer resizer;
  resizer.resize({source.data(), 20, 30, 3}, {dense.data(), 9, 11, 3}, Filter::bicubic);
  resizer.resize({source.data(), 20, 30, 3}, {gapped.data(), 9, 11, 3, 50}, Filter::bicubic);
  for (std::size_t y = 0; y < 9; ++y) {
    for (std::size_t x = 0; x < 50; ++x) {
      CHECK(gapped[y * 50 + x] == (x < 33 ? dense[y * 33 + x] : 77));
    }
  }
}

TEST_CASE("a streamed resize is complete after its last row and not before") {
  const Samples row(3 * 40, 128);
  Samples target(elements(5, 5, 3));
  Resizer resizer;
  resizer.begin(20, 40, {target.data(), 5, 5, 3}, Filter::lanczos);
  for (int y = 0; y < 20; ++y) {
    CHECK_FALSE(resizer.is_complete());
    resizer.push_row(row);
  }
  CHECK(resizer.is_complete());
  CHECK(target == Samples(target.size(), 128));
  CHECK_THROWS_AS(resizer.push_row(row), std::logic_error);
}

TEST_CASE("rows of four bytes a pixel give what rows of three give, from memory that is cached") {
  const int height = 9, width = 23;
  const Samples source = drawn("noise", height * width * 3, 5);
  for (const int out_height : {4, height}) {
    const auto targets = std::array{Samples(static_cast<std::size_t>(out_height) * 30),
                                    Samples(static_cast<std::size_t>(out_height) * 30)};
    auto [narrow, wide] = targets;
    Resizer resizer;
    resizer.resize({source.data(), height, width, 3}, {narrow.data(), out_height, 10, 3},
                   Filter::bilinear);
    resizer.begin(height, width, {wide.data(), out_height, 10, 3}, Filter::bilinear);
    for (int y = 0; y < height; ++y) {
      std::uint8_t* const row = resizer.wide_row();
      REQUIRE(row != nullptr);
      CHECK(reinterpret_cast<std::uintptr_t>(row) % 32 != 0);
      for (int i = 0; i < width * 4; ++i) {
        row[i] =
            i % 4 == 3 ? 99 : source[static_cast<std::size_t>((y * width + i / 4) * 3 + i % 4)];
      }
      resizer.push_wide_row();
    }
    CHECK(resizer.is_complete());
    CHECK(wide == narrow);
  }
}

TEST_CASE(
    "rows that are copied, of one channel or picked by nearest are not asked for in four bytes") {
  Samples target(8 * 8 * 3);
  Resizer resizer;
  resizer.begin(4, 8, {target.data(), 8, 8, 3}, Filter::bilinear);
  CHECK(resizer.wide_row() == nullptr);
  resizer.begin(4, 4, {target.data(), 8, 8, 1}, Filter::bilinear);
  CHECK(resizer.wide_row() == nullptr);
  resizer.begin(4, 4, {target.data(), 8, 8, 3}, Filter::nearest);
  CHECK(resizer.wide_row() == nullptr);
}

TEST_CASE("an image left unfinished does not show in the next") {
  const Samples source = drawn("noise", elements(16, 16, 1), 3);
  Samples expected(64), target(64);
  Resizer fresh;
  fresh.resize({source.data(), 16, 16, 1}, {expected.data(), 8, 8, 1}, Filter::bilinear);
  Resizer used;
  used.begin(100, 100, {target.data(), 8, 8, 1}, Filter::bilinear);
  used.push_row(Samples(100, 255));
  used.resize({source.data(), 16, 16, 1}, {target.data(), 8, 8, 1}, Filter::bilinear);
  CHECK(target == expected);
}

TEST_CASE("the memory of a streamed resize does not grow with the height of the image") {
  Samples target(elements(10, 10, 3));
  const auto scratch = [&](int height, Filter filter) {
    Resizer resizer;
    resizer.begin(height, 1000, {target.data(), 10, 10, 3}, filter);
    return resizer.scratch_bytes().count;
  };
  // The window holds rows of the target's width, so a hundred times the rows cost little.
  CHECK(scratch(100'000, Filter::nearest) - scratch(1'000, Filter::nearest) < 100);
  CHECK(scratch(10'000, Filter::bilinear) < 10'000ULL * 1000 * 3 / 10);
}

TEST_CASE("repeated sizes allocate nothing") {
  const Samples source = drawn("noise", elements(30, 20, 3), 5);
  Samples target(elements(12, 12, 3));
  Resizer resizer;
  const auto both = [&] {
    resizer.resize({source.data(), 30, 20, 3}, {target.data(), 12, 12, 3}, Filter::lanczos);
    resizer.resize({source.data(), 20, 30, 3}, {target.data(), 12, 12, 3}, Filter::lanczos);
  };
  both();
  const Bytes before = resizer.scratch_bytes();
  for (int i = 0; i < 10; ++i) both();
  CHECK(resizer.scratch_bytes() == before);
}

TEST_CASE("an unknown filter is refused with the names there are") {
  CHECK_THROWS_WITH(filter_from_name("cubic"),
                    "'cubic' is not a resize filter; choose one of nearest, box, bilinear, "
                    "hamming, bicubic, lanczos");
  CHECK(to_string(filter_from_name("hamming")) == std::string("hamming"));
}
