#include <millrace/core/plural.h>

#include "catch.h"

#include <cstdint>

using namespace millrace;

TEST_CASE("one thing has the word for one, none and many have the other") {
  CHECK(plural(0, "step") == "steps");
  CHECK(plural(1, "step") == "step");
  CHECK(plural(std::uint64_t{2}, "step") == "steps");
  CHECK(plural(1U, "class", "classes") == "class");
  CHECK(plural(std::int64_t{1000}, "class", "classes") == "classes");
}
