#include "catch.h"

#include <millrace/core/number_text.h>

#include <cmath>

using namespace millrace;

TEST_CASE("a time that is left has no tenths and two units at most") {
  CHECK(time_left_text(0) == "0 s");
  CHECK(time_left_text(59.4) == "59 s");
  CHECK(time_left_text(59.6) == "1 min 00 s");
  CHECK(time_left_text(245) == "4 min 05 s");
  CHECK(time_left_text(7380) == "2 h 03 min");
  CHECK(time_left_text(86'399) == "23 h 59 min");
  CHECK(time_left_text(273'600) == "3 d 04 h");
  CHECK(time_left_text(1e300) == "1,000 d");
  CHECK(time_left_text(std::nan("")) == "1,000 d");
}
