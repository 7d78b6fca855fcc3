#include "engines/random_graphs.h"

#include "cpu/compare.h"

using namespace millrace;

TEST_CASE("Random graphs are as near to float64 as float32 allows") {
  test::check_random_graphs(*cpu::make_engine({.threads = 2}), 250);
  test::check_random_graphs(*cpu::make_engine({.threads = 2, .sharing = cpu::Sharing::together}),
                            50);
}
