// A training run of a stranger's, without a graph, that saves its model and reloads it.

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/nn/initialize.h>
#include <millrace/training/saved_model.h>

#include <iostream>

using namespace millrace;

std::vector<float> predict(const nn::Engine& engine, const SavedModel& saved,
                           const nn::Batch& batch) {
  const auto executor = engine.compile(saved.model, {.batch = batch.samples, .training = false});
  executor->allocate();
  executor->write(nn::Arena::parameters, saved.parameters);
  std::vector<float> outputs(static_cast<std::size_t>(batch.samples));
  executor->predict(batch, outputs);
  return outputs;
}

int main() {
  // Points are above or below the line y = x.
  constexpr std::int64_t kPoints = 64;
  std::vector<float> points;
  std::vector<std::int32_t> labels;
  Random random(1, 0, 0, Purpose::synthetic);
  for (std::int64_t i = 0; i < kPoints; ++i) {
    points.push_back(static_cast<float>(random.uniform(-1, 1)));
    points.push_back(static_cast<float>(random.uniform(-1, 1)));
    labels.push_back(points.back() > points[points.size() - 2] ? 1 : 0);
  }
  nn::Batch batch;
  batch.input = {std::span<const float>(points), {kPoints, 2}};
  batch.labels = {std::span<const std::int32_t>(labels), {kPoints}};
  batch.samples = kPoints;

  SavedModel trained{nn::ModelBuilder("line", {2})
                         .dense(8)
                         .relu()
                         .dense(1)
                         .sigmoid()
                         .classes({"below", "above"})
                         .build(),
                     {}};
  trained.parameters.resize(
      static_cast<std::size_t>(nn::arena_elements(nn::parameters(trained.model))));
  nn::initialize(trained.model, 1, trained.parameters);
  const auto engine = cpu::make_engine({.threads = 1});
  const auto executor = engine->compile(
      trained.model, {.batch = kPoints, .optimizer = {.kind = nn::OptimizerKind::adam}});
  executor->allocate();
  executor->write(nn::Arena::parameters, trained.parameters);
  nn::StepResult result;
  for (int step = 1; step <= 500; ++step) result = executor->train(batch, step, 0.01);
  executor->read(nn::Arena::parameters, trained.parameters);

  save_model("line.safetensors", trained.model, trained.parameters);
  const SavedModel reloaded = load_model("line.safetensors");
  const bool is_same = predict(*engine, trained, batch) == predict(*engine, reloaded, batch);
  std::cout << "accuracy " << result.accuracy() << ", " << reloaded.model.classes.at(1) << ", "
            << (is_same ? "same" : "other") << " predictions after reloading\n";
  return is_same && result.accuracy() > 0.95 ? 0 : 1;
}
