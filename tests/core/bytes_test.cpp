#include <millrace/core/bytes.h>

#include <millrace/core/error.h>

#include "catch.h"

#include <sstream>
#include <string>
#include <utility>
#include <vector>

using namespace millrace;

TEST_CASE("sizes are printed in the largest unit that keeps a digit before the point") {
  const std::vector<std::pair<Bytes, std::string>> expected = {
      {0_B, "0 B"},
      {1_B, "1 B"},
      {1023_B, "1023 B"},
      {1_KiB, "1 KiB"},
      {1536_B, "1.5 KiB"},
      {Bytes{77070336}, "73.5 MiB"},
      {2_GiB, "2 GiB"},
      {Bytes{std::uint64_t{5} << 40}, "5 TiB"},
      {Bytes{std::uint64_t{5} << 50}, "5120 TiB"},
  };
  for (const auto& [bytes, text] : expected) CHECK(to_string(bytes) == text);
}

TEST_CASE("a size that rounds up to 1024 of a unit is one of the next") {
  CHECK(to_string(Bytes{(1 << 20) - 1}) == "1 MiB");
  CHECK(to_string(Bytes{(1 << 20) - 52}) == "1023.9 KiB");
  CHECK(to_string(Bytes{(1 << 30) - 1}) == "1 GiB");
}

TEST_CASE("a stream prints what to_string gives") {
  std::ostringstream out;
  out << 1536_B;
  CHECK(out.str() == "1.5 KiB");
}

TEST_CASE("sizes are read in binary and in decimal units") {
  const std::vector<std::pair<std::string, std::uint64_t>> expected = {
      {"0", 0},
      {"512", 512},
      {"512B", 512},
      {"512 B", 512},
      {"64KiB", 65536},
      {"64K", 65536},
      {"64KB", 64000},
      {"64kB", 64000},
      {"1.5 GiB", 1610612736},
      {"2G", 2147483648},
      {"100MB", 100000000},
      {"100 MiB", 104857600},
      {"3GB", 3000000000},
      {"0.5T", 549755813888},
      {"1TiB", 1099511627776},
      {"1e3", 1000},
  };
  for (const auto& [text, count] : expected) {
    INFO(text);
    CHECK(parse_bytes(text) == Bytes{count});
  }
}

TEST_CASE("text that is not a size is refused with advice") {
  const std::vector<std::string> wrong = {"",      " ",     "GiB",   "-1",   "-1K",  "1 QiB",
                                          "1 gib", "1GiB ", "1,5 G", "inf",  "nan",  "0x10",
                                          "1e300", "1e30T", " 1",    "2 GG", "9e18K"};
  for (const std::string& text : wrong) {
    INFO("'" << text << "'");
    CHECK_THROWS_AS(parse_bytes(text), UsageError);
  }
  CHECK_THROWS_WITH(parse_bytes("lots"), "'lots' is not a size; write it as 512MiB, 1.5GiB or 2G");
}

TEST_CASE("what is printed can be read again") {
  for (const Bytes bytes : {0_B, 700_B, 3_KiB, 1536_B, 512_MiB, 8_GiB}) {
    CHECK(parse_bytes(to_string(bytes)) == bytes);
  }
}

TEST_CASE("sizes add, subtract, scale and compare") {
  Bytes sum = 1_KiB;
  sum += 24_B;
  CHECK(sum == 1048_B);
  sum -= 1_KiB;
  CHECK(sum == 24_B);
  CHECK(3 * 1_KiB - 1_KiB + 1_B == Bytes{2049});
  CHECK(1023_B < 1_KiB);
}
