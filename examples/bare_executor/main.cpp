// Your own training loop, without a session, a pipeline or image files: an executor takes batches
// from the program's memory. What you learn: nn::Batch, make_executor(), train(), evaluate() and
// predict(), saving a model and reading it again.

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/nn/make_executor.h>
#include <millrace/training/saved_model.h>

#include <iostream>
#include <vector>

using namespace millrace;

constexpr std::int64_t kPoints = 64;

/// Points in the plane, and whether each is above the line y = x.
struct Points {
  std::vector<float> places;  // [kPoints][2]
  std::vector<std::int32_t> labels;

  explicit Points(std::uint64_t seed) {
    Random random(seed, 0, 0, Purpose::synthetic);
    for (std::int64_t i = 0; i < kPoints; ++i) {
      const double x = random.uniform(-1, 1), y = random.uniform(-1, 1);
      places.push_back(static_cast<float>(x));
      places.push_back(static_cast<float>(y));
      labels.push_back(y > x ? 1 : 0);
    }
  }
  /// Views: the executor reads the vectors where they are.
  [[nodiscard]] nn::Batch batch() const {
    return {.input = {std::span<const float>(places), {kPoints, 2}},
            .labels = {std::span<const std::int32_t>(labels), {kPoints}},
            .samples = kPoints};
  }
};

std::vector<float> outputs_of(nn::Executor& executor, const Points& points) {
  std::vector<float> outputs(static_cast<std::size_t>(kPoints));
  executor.predict(points.batch(), outputs);
  return outputs;
}

int main() {
  const nn::Model model = nn::ModelBuilder("line", {2})
                              .dense(8)
                              .relu()
                              .dense(1)
                              .sigmoid()
                              .classes({"below", "above"})
                              .build();
  const auto engine = cpu::make_engine({.threads = 1});

  // Compiled, with memory for all that a step needs, and with the first weights of seed 1. From
  // here on a step allocates nothing.
  const auto executor = nn::make_executor(
      *engine, model, {.batch = kPoints, .optimizer = {.kind = nn::OptimizerKind::adam}}, 1);
  const Points seen(1), unseen(2);
  nn::StepResult result;
  for (int step = 1; step <= 500; ++step) result = executor->train(seen.batch(), step, 0.01);
  const double accuracy = executor->evaluate(unseen.batch()).accuracy();
  std::cout << "loss " << result.mean_loss() << ", accuracy on new points " << accuracy << '\n';

  // `millrace predict line.safetensors` reads the file too.
  save_model("line.safetensors", *executor);
  const SavedModel saved = load_model("line.safetensors");
  const auto reloaded = engine->compile(saved.model, {.batch = kPoints, .training = false});
  reloaded->allocate();
  reloaded->write(nn::Arena::parameters, saved.parameters);
  const bool is_same = outputs_of(*executor, unseen) == outputs_of(*reloaded, unseen);
  std::cout << (is_same ? "the same" : "other") << " predictions after reloading\n";
  return is_same && accuracy > 0.9 ? 0 : 1;
}
