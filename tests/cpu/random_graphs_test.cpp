#include "engines/random_graphs.h"

#include "cpu/compare.h"

using namespace millrace;

TEST_CASE("Random graphs are as near to float64 as float32 allows") {
  for (const int threads : {1, 2, 4}) {
    test::check_random_graphs(*cpu::make_engine({.threads = threads}), 150);
  }
  test::check_random_graphs(*cpu::make_engine({.threads = 2, .sharing = cpu::Sharing::together}),
                            50);
}
