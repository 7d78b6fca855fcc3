#include <millrace/io/gzip.h>

#include <millrace/core/error.h>

#include "catch.h"
#include "io/scratch.h"

#include <vector>

using namespace millrace;
using millrace::test::Scratch;

// The expected sizes are those of Python's gzip module at level 6.

TEST_CASE("The gzip size of a file is what zlib makes of it") {
  const Scratch scratch;
  CHECK(gzip_size(scratch.write("zeros", std::vector<std::byte>(300'000))) == Bytes{325});
  std::vector<std::byte> values(1'000'000);  // several pieces
  for (std::uint64_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::byte>((i * i * 7 + i / 3) % 251);
  }
  CHECK(gzip_size(scratch.write("pattern", values)) == Bytes{5751});
  CHECK(gzip_size(scratch.write("empty", "")) == Bytes{20});
}

TEST_CASE("A file that is not there has no gzip size") {
  const Scratch scratch;
  CHECK_THROWS_AS(gzip_size(scratch / "none"), Error);
}
