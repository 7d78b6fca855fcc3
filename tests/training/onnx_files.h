#pragma once
// Models as ONNX files beside what our CPU engine makes of samples, for onnxruntime to try.

#include "catch.h"
#include "peers.h"

#include <millrace/cpu/engine.h>
#include <millrace/nn/engine.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/training/export_onnx.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace millrace::test {

/// Our outputs for some samples, [N][...] as the model's input; normalised ones.
inline std::vector<float> outputs_for(const SavedModel& saved, std::span<const float> samples) {
  const std::int64_t width = nn::summarize(saved.model).back().output.elements();
  const auto count = static_cast<std::int64_t>(samples.size()) / saved.model.input.elements();
  const auto executor =
      cpu::make_engine()->compile(saved.model, {.batch = count, .training = false});
  executor->allocate();
  executor->write(nn::Arena::parameters, saved.parameters);
  nn::Batch batch{.samples = count};
  batch.input = ConstTensorView(samples, saved.model.input.with_front(count));
  std::vector<float> outputs(static_cast<std::size_t>(count * width));
  executor->predict(batch, outputs);
  return outputs;
}

/// Files of a folder, and what is expected of each.
class OnnxFiles {
 public:
  /// Relative to the largest output of a model.
  static constexpr double kNear = 1e-4;

  explicit OnnxFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Where the next file is to be.
  [[nodiscard]] std::filesystem::path next() const {
    return folder_ / concat("model", cases_.size(), ".onnx");
  }
  /// It is there. `taken`: what its graph is given for the samples, in the order of `sample`, which
  /// is ours; `expected`: our outputs.
  void expect(const std::string& title, const Shape& sample, std::span<const float> taken,
              std::vector<float> expected) {
    const std::filesystem::path path = next();
    const std::vector<float> values = channels_first(sample, taken);
    write_file(std::filesystem::path(path).replace_extension(".f32"),
               std::as_bytes(std::span(values)));
    cases_[path.stem().string()] = {title, std::move(expected)};
  }
  /// Exports a model.
  void add(const std::string& title, const SavedModel& saved, const OnnxOptions& options,
           std::span<const float> taken, std::vector<float> expected) {
    export_onnx(next(), saved, options);
    expect(concat(title, ", opset ", options.opset), saved.model.input, taken, std::move(expected));
  }
  /// The same of a graph that takes what the model takes.
  void add(const std::string& title, const SavedModel& saved, std::span<const float> samples,
           const OnnxOptions& options = {}) {
    add(title, saved, options, samples, outputs_for(saved, samples));
  }

  /// Asks onnxruntime, and prints the largest difference.
  void check(const std::string& python) const {
    const auto answers = nlohmann::json::parse(ask_peer(python, "run_onnx.py", {folder_.string()}));
    CHECK(answers.size() == cases_.size());
    double largest = 0;
    for (const auto& [name, one] : cases_) {
      INFO(one.title);
      const auto found = answers.at(name).get<std::vector<float>>();
      REQUIRE(found.size() == one.expected.size());
      double difference = 0, size = 0;
      for (std::size_t i = 0; i < found.size(); ++i) {
        REQUIRE(std::isfinite(found[i]));
        difference = std::max(difference, std::abs(double{found[i]} - double{one.expected[i]}));
        size = std::max(size, std::abs(double{one.expected[i]}));
      }
      CHECK(difference <= kNear * size);
      largest = std::max(largest, difference / size);
    }
    std::cout << cases_.size() << " models: at most " << largest << " of the largest output\n";
  }

 private:
  struct Case {
    std::string title;
    std::vector<float> expected;
  };

  static std::vector<float> channels_first(const Shape& sample, std::span<const float> values) {
    if (sample.rank() == 1) return {values.begin(), values.end()};
    const auto pixels = static_cast<std::size_t>(sample[0] * sample[1]);
    const auto channels = static_cast<std::size_t>(sample[2]);
    std::vector<float> result;
    for (std::size_t n = 0; n < values.size() / (pixels * channels); ++n) {
      for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t p = 0; p < pixels; ++p) {
          result.push_back(values[(n * pixels + p) * channels + c]);
        }
      }
    }
    return result;
  }

  std::filesystem::path folder_;
  std::map<std::string, Case> cases_;
};

}  // namespace millrace::test
