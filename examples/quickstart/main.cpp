// Quick start: a folder with one folder of images for each class goes in, a trained model comes
// out. The folder is given on the command line; without one the program draws its own images.
// What you learn: a TrainSpec and a TrainingSession, its plan, a watcher, Ctrl-C, saving, and
// predicting with the saved model.

#include <millrace/core/random.h>
#include <millrace/cpu/engine.h>
#include <millrace/io/class_folder.h>
#include <millrace/io/files.h>
#include <millrace/io/png.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/prediction.h>
#include <millrace/training/session.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

using namespace millrace;

/// 120 images of stripes in "across" and "upright", in colours that do not depend on the class.
std::filesystem::path draw_stripes() {
  constexpr int kSide = 48;
  const std::filesystem::path root = "stripes";
  for (const bool is_upright : {false, true}) {
    const std::filesystem::path folder = root / (is_upright ? "upright" : "across");
    create_folders(folder);
    for (std::uint64_t i = 0; i < 60; ++i) {
      Random random(1, is_upright, i, Purpose::synthetic);
      const auto width = static_cast<int>(2 + random.below(4)),
                 shift = static_cast<int>(random.below(8));
      const std::uint64_t light = 60 + random.below(100);
      std::vector<std::uint8_t> pixels(kSide * kSide * 3);
      for (int k = 0; k < static_cast<int>(pixels.size()); ++k) {
        const int place = is_upright ? k / 3 % kSide : k / 3 / kSide;
        const bool is_stripe = (place + shift) / width % 2 == 0;
        pixels[static_cast<std::size_t>(k)] =
            static_cast<std::uint8_t>((is_stripe ? light : 0) + random.below(90));
      }
      write_file(folder / (std::to_string(i) + ".png"),
                 encode_png({pixels.data(), kSide, kSide, 3}));
    }
  }
  return root;
}

/// The share of the images that the saved model classifies correctly.
double share_of_right_answers(const std::shared_ptr<const nn::Engine>& engine,
                              const std::filesystem::path& model,
                              const std::filesystem::path& photos) {
  const auto folder = std::make_shared<const ClassFolder>(photos);
  int right = 0, seen = 0;
  const PredictionSession session(engine, load_model(model), SampleSet::all(folder));
  session.run([&](const Predicted& some) {
    for (std::size_t i = 0; i < some.samples.size(); ++i, ++seen) {
      const std::span<const float> outputs = some.outputs(i);
      // Two classes have one output, the probability of the second.
      const auto answer = outputs.size() == 1
                              ? (outputs[0] > 0.5F ? 1 : 0)
                              : std::max_element(outputs.begin(), outputs.end()) - outputs.begin();
      right += answer == folder->label(some.samples[i]) ? 1 : 0;
    }
  });
  return static_cast<double>(right) / seen;
}

int main(int argc, char** argv) try {
  const std::filesystem::path photos = argc > 1 ? argv[1] : draw_stripes();
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine();

  // What the spec leaves open is chosen by the data and the machine: the size of images, the share
  // for validation, threads, memory.
  const TrainSpec spec{.data = {.path = photos.string()}, .model = {.name = "cnn"}, .epochs = 5};
  TrainingSession session(spec, engine);
  std::cout << session.plan();  // the stages and their maximum memory, before anything runs

  const Interrupt interrupt;  // Ctrl-C ends the run after its current step
  const TrainingResult result = session.run(
      interrupt.token(), {.on_epoch = [](const EpochRecord& epoch) {
        std::cout << "epoch " << epoch.epoch + 1 << ": loss " << epoch.training.mean_loss();
        if (epoch.validation) std::cout << ", validation " << epoch.validation->accuracy();
        std::cout << '\n';
      }});
  if (result.stopped) return interrupt.exit_status();

  session.save("quickstart.safetensors");  // the weights, the model, its preprocessing and classes
  const double share = share_of_right_answers(engine, "quickstart.safetensors", photos);
  std::cout << "right answers of the saved model: " << 100 * share << " %\n";
  return argc > 1 || share > 0.9 ? 0 : 1;
} catch (const std::exception& error) {  // one line: what, where, what to do
  std::cerr << "quickstart: " << error.what() << '\n';
  return 1;
}
