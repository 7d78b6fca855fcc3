#pragma once
// The recipe apps/recipes/fashion-mnist.ini on the reference engine, so that the accuracy of a
// precision is known without the device that has it.

#include <millrace/core/random.h>
#include <millrace/io/idx.h>
#include <millrace/nn/initialize.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/nn/zoo/zoo.h>

#include <cstdint>
#include <filesystem>
#include <iostream>
#include <memory>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::test {

/// Images in memory as the recipe has them: (pixel / 255 - 0.5) / 0.5.
struct Images {
  std::vector<float> input;
  std::vector<std::int32_t> labels;
};

inline constexpr std::int64_t kPixels = 28 * 28;

/// What Debian's package dataset-fashion-mnist installs.
class FashionMnist {
 public:
  /// None where it is not installed: the case is to return at once, and ctest takes the line that
  /// is printed here for a skip.
  static std::optional<FashionMnist> find() {
    const std::filesystem::path folder = "/usr/share/datasets/fashion-mnist";
    if (!std::filesystem::exists(folder)) {
      std::cout << "skipped: no Fashion-MNIST in " << folder.string()
                << "; scripts/setup installs it\n";
      return {};
    }
    FashionMnist found;
    found.train = read(folder, "train");
    found.test = read(folder, "t10k");
    return found;
  }

  Images train, test;

 private:
  static Images read(const std::filesystem::path& folder, const std::string& part) {
    const IdxDataset files(folder / (part + "-images-idx3-ubyte.gz"),
                           folder / (part + "-labels-idx1-ubyte.gz"));
    Images images;
    for (std::uint32_t i = 0; i < files.size(); ++i) {
      for (const std::uint8_t pixel : files.pixels(i)) {
        images.input.push_back((static_cast<float>(pixel) / 255.0F - 0.5F) / 0.5F);
      }
      images.labels.push_back(files.label(i));
    }
    return images;
  }
};

struct Trained {
  double accuracy = 0;       ///< on the test images
  std::int64_t skipped = 0;  ///< steps that the loss scale cost
};

/// 784-500-10, batches of 100, SGD with momentum 0.9; five epochs over the first `count` images.
class FashionTraining {
 public:
  FashionTraining(const FashionMnist& data, const nn::ReferenceOptions& options)
      : data_(data),
        executor_(nn::ReferenceEngine(options).compile(
            model(), {.batch = kBatch, .optimizer = {.learning_rate = kRate, .momentum = 0.9}})) {
    executor_->allocate();
    std::vector<float> weights(
        static_cast<std::size_t>(nn::arena_elements(nn::parameters(model()))));
    nn::initialize(model(), kSeed, weights);
    executor_->write(nn::Arena::parameters, weights);
  }

  /// `count` is a multiple of the batch.
  Trained run(std::uint32_t count) {
    std::int64_t t = 0;
    for (std::uint32_t epoch = 0; epoch < 5; ++epoch) {
      const auto order = permutation(count, Random(kSeed, epoch, 0, Purpose::shuffle));
      for (std::size_t begin = 0; begin < count; begin += kBatch) {
        executor_->train(batch(data_.train, std::span(order).subspan(begin, kBatch)), ++t, kRate);
      }
    }
    const auto scale = executor_->loss_scale();
    return {.accuracy = accuracy(), .skipped = scale ? scale->skipped : 0};
  }

 private:
  static constexpr std::int64_t kBatch = 100;
  static constexpr double kRate = 0.001;
  static constexpr std::uint64_t kSeed = 1;

  static nn::Model model() {
    return nn::zoo_model("mlp:500", {28, 28, 1}, 10, nn::Initializer::torch);
  }

  nn::Batch batch(const Images& from, std::span<const std::uint32_t> picked) {
    input_.clear();
    labels_.clear();
    for (const std::uint32_t i : picked) {
      const auto begin = from.input.begin() + std::int64_t{i} * kPixels;
      input_.insert(input_.end(), begin, begin + kPixels);
      labels_.push_back(from.labels[i]);
    }
    const auto samples = static_cast<std::int64_t>(picked.size());
    return {.input = ConstTensorView(std::span<const float>(input_), {samples, 28, 28, 1}),
            .labels = ConstTensorView(std::span<const std::int32_t>(labels_), {samples}),
            .samples = samples};
  }

  double accuracy() {
    std::vector<std::uint32_t> order(data_.test.labels.size());
    std::iota(order.begin(), order.end(), 0U);
    nn::StepResult result;
    for (std::size_t begin = 0; begin < order.size(); begin += kBatch) {
      result += executor_->evaluate(batch(data_.test, std::span(order).subspan(begin, kBatch)));
    }
    return result.accuracy();
  }

  const FashionMnist& data_;
  std::unique_ptr<nn::Executor> executor_;
  std::vector<float> input_;
  std::vector<std::int32_t> labels_;
};

}  // namespace millrace::test
