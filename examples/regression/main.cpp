// Regression: a model learns the columns "range" and "flight" of a table from its other columns.
// What you learn: columns as targets, unknown cells, the figures of targets during training and
// afterwards, and predicting rows by the names of targets.
//
// The table lists throws of a stone: speed and angle, and how far and how long it flies. One in ten
// ranges is empty, as if nobody had seen where the stone fell.

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/io/csv.h>
#include <millrace/training/evaluation.h>
#include <millrace/training/prediction.h>
#include <millrace/training/session.h>

#include <cmath>
#include <fstream>
#include <iostream>

using namespace millrace;

void write_throws(const char* file, std::uint64_t seed, int count) {
  constexpr double kGravity = 9.81, kDegree = 0.017453292519943295;
  Random random(seed, 0, 0, Purpose::synthetic);
  std::ofstream table(file);
  table << "speed,angle,range,flight\n";
  for (int i = 0; i < count; ++i) {
    const double speed = random.uniform(5, 20), angle = random.uniform(20, 70);
    const double flight = 2 * speed * std::sin(angle * kDegree) / kGravity;
    const double range = speed * std::cos(angle * kDegree) * flight;
    table << speed << ',' << angle << ',';
    if (random.below(10) > 0) table << range + random.uniform(-0.2, 0.2);
    table << ',' << flight << '\n';
  }
}

int main() try {
  write_throws("throws.csv", 1, 2000);
  write_throws("more-throws.csv", 2, 500);

  // The other columns are features. Since not all targets are 0 or 1, the model ends in a dense
  // layer of two outputs, and the loss is the squared error of known targets; validation measures
  // "val_mae" and "val_r2".
  TrainSpec spec{.data = {.path = "throws.csv", .table = {.targets = {"range", "flight"}}},
                 .model = {.name = "mlp:32,32"},
                 .epochs = 60};
  spec.images.featurewise_center = spec.images.featurewise_std =
      true;  // columns of different scales
  spec.optimizer.learning_rate = 0.01;
  spec.callbacks.plateau_patience = 5;
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  TrainingSession session(spec, engine);
  session.run({}, {.on_epoch = [](const EpochRecord& epoch) {
                if ((epoch.epoch + 1) % 10 > 0) return;
                std::cout << "epoch " << epoch.epoch + 1 << ": loss " << epoch.training.mean_loss()
                          << ", R2 in validation " << epoch.value("val_r2").value_or(0) << '\n';
              }});
  session.save("throws.safetensors");

  // A model file keeps the names of its columns and targets.
  const SavedModel saved = load_model("throws.safetensors");
  CsvOptions columns{.known = saved.model.table, .known_targets = saved.model.targets};
  const auto unseen =
      std::make_shared<const CsvDataset>("more-throws.csv", std::vector<std::string>{}, columns);
  const Evaluation result = EvaluationSession(engine, saved, SampleSet::all(unseen)).run();
  const std::vector<nn::TargetFigures> figures = result.targets->per_target();
  for (std::size_t i = 0; i < figures.size(); ++i) {
    std::cout << saved.model.targets[i] << ": mean error " << figures[i].mae << ", R2 "
              << figures[i].r2 << ", of " << figures[i].known << " throws\n";
  }

  PredictionSession(engine, saved, {unseen, {0, 1, 2}}).run([&](const Predicted& some) {
    for (std::size_t i = 0; i < some.samples.size(); ++i) {
      std::cout << unseen->name(some.samples[i]);
      for (std::size_t j = 0; j < some.width; ++j) {
        std::cout << "  " << saved.model.targets[j] << ' ' << some.outputs(i)[j];
      }
      std::cout << '\n';
    }
  });
  return figures[0].r2 > 0.97 && figures[1].r2 > 0.97 ? 0 : 1;
} catch (const std::exception& error) {
  std::cerr << "regression: " << error.what() << '\n';
  return 1;
}
