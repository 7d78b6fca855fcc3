// The times of a run decide alone where the run is measured again.

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "cpu/compare.h"
#include "io/scratch.h"

using namespace millrace;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

const nn::CompileOptions kFour{.batch = 4, .training = false};

nn::Model convnet() {
  nn::ModelBuilder builder("m", {15, 12, 3});
  builder.conv(32).relu().conv(40, 3, nn::Padding::same).relu().conv(48, 3, nn::Padding::same);
  return builder.relu().flatten().dense(4).softmax().build();
}

std::int64_t winograds(const nn::Executor& executor) {
  const auto timings = executor.timings();
  return std::count_if(timings.begin(), timings.end(), [](const nn::OpTiming& timing) {
    return timing.implementation.find("wino") != std::string::npos;
  });
}

/// All ways are timed, and then Winograd's is said to take half as long as any other.
json with_fast_winograd(const fs::path& file, const cpu::EngineOptions& options) {
  json content;
  for (std::size_t known = 0, before = 1; known != before;) {
    before = known;
    (void)cpu::make_engine(options)->compile(convnet(), kFour);
    content = json::parse(std::ifstream(file));
    known = 0;
    for (json& operations : content["timings"]) {
      for (json& ways : operations) {
        known += ways.size();
        for (auto& [name, time] : ways.items()) {
          time = name.find("wino") == std::string::npos ? 100.0 : 50.0;
        }
      }
    }
    std::ofstream(file) << content.dump();
  }
  return content;
}

}  // namespace

TEST_CASE("Times of a run decide alone: what it did not time is done the first way again") {
  const test::Scratch scratch;
  const fs::path kept = scratch / "timings.json", given = scratch / "run.json";
  cpu::EngineOptions options{
      .threads = 1, .algorithms = cpu::Algorithms::fastest, .timings = {kept, {}}};
  if (!test::has_winograd(options)) {
    WARN("not checked: the library has one algorithm for a convolution here");
    return;
  }
  json content = with_fast_winograd(kept, options);
  for (json& operations : content["timings"]) {
    operations.erase(std::ranges::find_if(operations.items(), [](const auto& operation) {
                       return operation.value().dump().find("wino") != std::string::npos;
                     }).key());
  }
  std::ofstream(given) << content.dump();
  int timed = 0;
  options.on_timing = [&timed](std::uint64_t) { ++timed; };
  const auto with_steps = [&](std::uint64_t steps, bool alone) {
    options.timings = {kept, given, alone};
    nn::CompileOptions compiled = kFour;
    compiled.steps = steps;
    return winograds(*cpu::make_engine(options)->compile(convnet(), compiled));
  };
  const std::int64_t all = with_steps(1, false);
  REQUIRE(all >= 2);
  CHECK(with_steps(1, true) == all - 1);    // a short pass does not make all of it direct
  CHECK(with_steps(100, true) == all - 1);  // a long one times nothing
  CHECK(timed == 0);
  fs::remove(kept);
  CHECK(with_steps(1, false) == 0);  // as of a model that no run has measured
}
