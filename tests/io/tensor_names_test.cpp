#include <millrace/io/tensor_names.h>

#include "catch.h"

#include <string>

using millrace::common_wrapper;

TEST_CASE("wrappers in front of all names are found one behind the other, up to eight") {
  CHECK(common_wrapper({}).empty());
  CHECK(common_wrapper({"conv.weight", "module.conv.bias"}).empty());
  CHECK(common_wrapper({"module._orig_mod.a", "module._orig_mod.module.b"}) == "module._orig_mod.");
  CHECK(common_wrapper({"module.", "module.a"}) == "module.");
  std::string eight, many;
  for (int i = 0; i < 8; ++i) eight += "module.";
  for (int i = 0; i < 200'000; ++i) many += "module.";  // which took time by the square of that
  CHECK(common_wrapper({eight}) == eight);
  CHECK(common_wrapper({many, many + "weight"}) == eight);
}
