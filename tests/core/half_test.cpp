#include <millrace/core/half.h>

#include "catch.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

using namespace millrace;

namespace {

// The checksum of tests/reference/half.py: the sum of (2 i + 1) bits[i], modulo 2^64.
class Checksum {
 public:
  void add(std::uint32_t bits) { sum_ += weight_ * bits, weight_ += 2; }
  std::uint64_t value() const { return sum_; }

 private:
  std::uint64_t sum_ = 0;
  std::uint64_t weight_ = 1;
};

struct Line {
  std::string direction;
  std::uint32_t block = 0;  // the sign and exponent of 1024 halves; of random floats, the seed
  std::uint64_t checksum = 0;
};

std::vector<Line> recorded(const std::string& direction) {
  std::ifstream file(MILLRACE_TEST_DATA "/core/half.txt");
  std::vector<Line> lines;
  for (Line line; file >> line.direction >> line.block >> line.checksum;) {
    if (line.direction == direction) lines.push_back(line);
  }
  return lines;
}

std::uint16_t half_of_block(std::uint32_t block, std::uint32_t index) {
  return static_cast<std::uint16_t>(1024 * block + index);
}

// The distance from a finite half to the next one away from zero.
double step_from(double value) {
  const int exponent = value == 0 ? -14 : std::max(std::ilogb(value), -14);
  return std::ldexp(1.0, exponent - 10);
}

}  // namespace

TEST_CASE("all 65,536 halves widen as numpy widens them") {
  const std::vector<Line> lines = recorded("widen_f16");
  REQUIRE(lines.size() == 64);
  for (const Line& line : lines) {
    Checksum checksum;
    for (std::uint32_t i = 0; i < 1024; ++i) {
      const float value = float_from_f16(half_of_block(line.block, i));
      if (!std::isnan(value)) checksum.add(std::bit_cast<std::uint32_t>(value));
    }
    INFO("halves from " << half_of_block(line.block, 0));
    CHECK(checksum.value() == line.checksum);
  }
}

TEST_CASE("halves, ties between halves and the floats beside ties round as numpy rounds them") {
  const std::vector<Line> lines = recorded("round_f16");
  REQUIRE(lines.size() == 62);
  for (const Line& line : lines) {
    Checksum checksum;
    for (std::uint32_t i = 0; i < 1024; ++i) {
      const float value = float_from_f16(half_of_block(line.block, i));
      const double step = std::copysign(step_from(std::fabs(value)), value);
      const auto tie = static_cast<float>(static_cast<double>(value) + step / 2);
      const float outward = std::copysign(std::numeric_limits<float>::infinity(), tie);
      checksum.add(f16_from_float(value));
      checksum.add(f16_from_float(std::nextafter(tie, 0.0F)));
      checksum.add(f16_from_float(tie));
      checksum.add(f16_from_float(std::nextafter(tie, outward)));
    }
    INFO("halves from " << half_of_block(line.block, 0));
    CHECK(checksum.value() == line.checksum);
  }
}

TEST_CASE("floats of any size round as numpy (f16) and ml_dtypes (bf16) round them") {
  const std::vector<Line> f16 = recorded("random_f16");
  const std::vector<Line> bf16 = recorded("random_bf16");
  REQUIRE((f16.size() == 1 && bf16.size() == 1));
  Checksum f16_checksum;
  Checksum bf16_checksum;
  std::uint32_t bits = f16[0].block;
  for (int i = 0; i < 200'000; ++i) {
    bits = 1664525 * bits + 1013904223;
    const auto value = std::bit_cast<float>(bits);
    if (std::isnan(value)) continue;
    f16_checksum.add(f16_from_float(value));
    bf16_checksum.add(bf16_from_float(value));
  }
  CHECK(f16_checksum.value() == f16[0].checksum);
  CHECK(bf16_checksum.value() == bf16[0].checksum);
}

TEST_CASE("the values that the standard names have their known bits") {
  CHECK(f16_from_float(0.0F) == 0x0000);
  CHECK(f16_from_float(-0.0F) == 0x8000);
  CHECK(f16_from_float(1.0F) == 0x3C00);
  CHECK(f16_from_float(-2.0F) == 0xC000);
  CHECK(f16_from_float(65504.0F) == 0x7BFF);         // the largest
  CHECK(f16_from_float(65519.996F) == 0x7BFF);       // still rounds down to it
  CHECK(f16_from_float(65520.0F) == 0x7C00);         // a tie, and infinity is the even one
  CHECK(f16_from_float(0x1p-14F) == 0x0400);         // the smallest normal
  CHECK(f16_from_float(0x1p-24F) == 0x0001);         // the smallest subnormal
  CHECK(f16_from_float(0x1p-25F) == 0x0000);         // a tie, and zero is the even one
  CHECK(f16_from_float(0x1.000002p-25F) == 0x0001);  // just above it
  CHECK(bf16_from_float(1.0F) == 0x3F80);
  CHECK(bf16_from_float(0x1.01p0F) == 0x3F80);  // ties to even, down
  CHECK(bf16_from_float(0x1.03p0F) == 0x3F82);  // ties to even, up
  CHECK(bf16_from_float(std::numeric_limits<float>::max()) == 0x7F80);
}

TEST_CASE("not-a-number stays not-a-number and keeps its sign") {
  // Signalling, quiet, and one whose payload lies only in bits that the short formats drop.
  for (const std::uint32_t bits : {0x7F800001U, 0x7FC00000U, 0xFF800001U, 0xFFFFFFFFU}) {
    const auto value = std::bit_cast<float>(bits);
    const std::uint16_t half = f16_from_float(value);
    const std::uint16_t brain = bf16_from_float(value);
    CHECK(std::isnan(float_from_f16(half)));
    CHECK(std::isnan(float_from_bf16(brain)));
    CHECK(half >> 15 == bits >> 31);
    CHECK(brain >> 15 == bits >> 31);
  }
}

TEST_CASE("every half and every bf16 survives the way to float and back") {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    const float from_half = float_from_f16(pattern);
    const float from_brain = float_from_bf16(pattern);
    if (!std::isnan(from_half) && f16_from_float(from_half) != pattern) FAIL("f16 " << bits);
    if (!std::isnan(from_brain) && bf16_from_float(from_brain) != pattern) FAIL("bf16 " << bits);
  }
}
