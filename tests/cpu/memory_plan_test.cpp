// What programs take for activations, beside what is alive at once: no plan takes less.

#include <millrace/cpu/programs.h>
#include <millrace/nn/zoo/zoo.h>

#include <algorithm>

#include "catch.h"
#include "engines/networks.h"
#include "engines/random_models.h"

using namespace millrace;

namespace {

/// Planned and compiled, and without memory.
class Planned {
 public:
  Planned(nn::Model model, std::int64_t batch, int threads = 1)
      : model_(std::move(model)),
        options_({.batch = batch}),
        layouts_(nn::parameters(model_)),
        programs_(model_, options_, how(threads), device_, layouts_) {}

  [[nodiscard]] const cpu::Program& program(nn::Mode mode) {
    return *(mode == nn::Mode::training ? programs_.training(options_.batch)
                                        : programs_.evaluation(options_.batch))
                .front();
  }

 private:
  [[nodiscard]] cpu::Lowering::Options how(int threads) const {
    const cpu::Division division = cpu::divide(model_, options_, threads, cpu::Sharing::slices);
    return {.threads = division.slices > 1 ? 1 : threads, .division = division};
  }

  nn::Model model_;
  nn::CompileOptions options_;
  dnnl::engine device_{dnnl::engine::kind::cpu, 0};
  cpu::ParameterLayouts layouts_;
  cpu::Programs programs_;
};

/// How many times what is alive at once is planned.
double excess(const cpu::Program& program) {
  return static_cast<double>((program.activations() + program.shared()).count) /
         static_cast<double>(program.alive().count);
}

constexpr auto kModes = {nn::Mode::training, nn::Mode::evaluation};

}  // namespace

TEST_CASE("Memory of networks that people use is at most 5 percent more than what is alive") {
  std::vector<nn::Model> models{test::resnet18(), test::mobilenet_v2(), test::squeezenet()};
  models.push_back(nn::zoo_model("cnn", {150, 150, 3}, 10));
  models.push_back(nn::zoo_model("vgg16", {150, 150, 3}, 10));
  double worst = 1;
  for (const nn::Model& model : models) {
    Planned planned(model, 2);
    for (const nn::Mode mode : kModes) {
      const double times = excess(planned.program(mode));
      INFO(model.name << (mode == nn::Mode::training ? ", training" : ", evaluation"));
      CHECK(times <= 1.05);
      worst = std::max(worst, times);
    }
  }
  WARN("at worst " << worst << " times what is alive at once");
}

TEST_CASE("Memory of random graphs is at most 15 percent more than what is alive at once") {
  constexpr std::uint64_t kGraphs = 200;
  double worst = 1;
  for (std::uint64_t seed = 1; seed <= kGraphs; ++seed) {
    for (const int threads : {1, 2}) {
      Planned planned(test::random_model(seed), 8, threads);
      for (const nn::Mode mode : kModes) {
        const double times = excess(planned.program(mode));
        INFO("seed " << seed << ", threads " << threads);
        CHECK(times <= 1.15);
        worst = std::max(worst, times);
      }
    }
  }
  WARN("at worst " << worst << " times what is alive at once");
}

TEST_CASE("Outside training two activations share the memory of all") {
  nn::ModelBuilder builder("deep", {64});
  for (int layer = 0; layer < 10; ++layer) builder.dense(64).relu();
  Planned planned(builder.dense(64).build(), 4);
  const cpu::Program& program = planned.program(nn::Mode::evaluation);
  const std::uint64_t activation = std::uint64_t{4} * 64 * sizeof(float);
  CHECK(program.alive().count == 2 * activation);
  CHECK(program.activations().count == 2 * activation);
}
