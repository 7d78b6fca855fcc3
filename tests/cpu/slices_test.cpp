// Slices of a batch that put together what they found: they mean the same numbers by it, however
// their images lie and whatever ways were timed.

#include "catch.h"
#include "cpu/compare.h"
#include "io/scratch.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <random>

using namespace millrace;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

/// Channels of which some do not fill oneDNN's blocks of 8 and 16.
nn::Model odd_channels() {
  return nn::ModelBuilder("odd", {9, 9, 3})
      .conv(16, 3, nn::Padding::same)
      .batch_norm()
      .relu6()
      .conv(24, 1)
      .batch_norm()
      .residual(
          [](nn::ModelBuilder& b) { b.conv(40, 1).batch_norm().relu().conv(24, 1).batch_norm(); })
      .conv(7, 1)
      .batch_norm()
      .relu()
      .global_avg_pool()
      .dense(5)
      .softmax()
      .build();
}

/// Other times for all ways, drawn anew: what is fastest is any of them.
void draw_times(const fs::path& file, unsigned seed) {
  json content = json::parse(std::ifstream(file));
  std::mt19937 random(seed);
  for (json& operations : content["timings"]) {
    for (json& ways : operations) {
      for (auto& [name, time] : ways.items()) time = 1.0 + static_cast<double>(random() % 1000);
    }
  }
  std::ofstream(file) << content.dump();
}

}  // namespace

TEST_CASE("slices mean the same by what they put together, whatever was timed") {
  const test::Scratch scratch;
  const nn::Model model = odd_channels();
  const nn::CompileOptions compiled{.batch = 6, .optimizer = {.learning_rate = 0.1}};
  const fs::path file = scratch / "timings.json";
  const cpu::EngineOptions options{
      .threads = 2, .algorithms = cpu::Algorithms::fastest, .timings = {.kept = file, .given = {}}};
  (void)cpu::make_engine(options)->compile(model, compiled);
  for (unsigned seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    draw_times(file, seed);
    test::check_model(model, compiled, {6, 5}, options);
  }
}
