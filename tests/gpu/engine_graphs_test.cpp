#include "engines/random_graphs.h"

#include "gpu/engines.h"

using namespace millrace;

TEST_CASE("Random graphs are as near to float64 as float32 allows") {
  const test::TestedEngine tested(nn::Precision::fp32);
  // Other groups than these want numbers of channels that fill what is stored.
  test::check_random_graphs(*tested.engine, 60, test::Groups::depthwise);
}
