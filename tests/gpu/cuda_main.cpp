// The main function of programs whose cases need a GPU. Without one they end with the line that
// ctest takes for a skip, and with status 77; with one they tell at the end what was launched on
// it.
#define CATCH_CONFIG_RUNNER
#include "catch.h"

#include "gpu/device_under_test.h"

#include <millrace/gpu/cuda/cuda_device.h>

#include <algorithm>
#include <iostream>
#include <string_view>

namespace {

/// ctest asks for the names of cases while it builds, on any machine.
bool only_lists(int count, char** words) {
  return std::any_of(words, words + count, [](std::string_view word) {
    return word.starts_with("--list") || word == "--help" || word == "-?";
  });
}

}  // namespace

int main(int count, char** words) {
  if (only_lists(count, words)) return Catch::Session().run(count, words);
  const auto device = millrace::gpu::test::device_under_test();
  if (!device) return 77;
  const int failed = Catch::Session().run(count, words);
  const millrace::gpu::LaunchCounts launched = millrace::gpu::launch_counts();
  std::cout << "launched on " << device->facts().name << ": " << launched.kernels << " kernels, "
            << launched.library_calls << " library calls, " << launched.copies << " copies, "
            << launched.graphs << " graphs\n";
  return failed;
}
