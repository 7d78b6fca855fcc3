#pragma once
// Networks with branches that tests/reference/record_graphs.py recorded from PyTorch.

#include <millrace/nn/engine.h>
#include <millrace/nn/model_json.h>

#include "catch.h"
#include "nn/recorded.h"

#include <string>
#include <vector>

namespace millrace::test {

/// A recorded network with its batch. Not to be moved: the batch looks at the rest.
struct RecordedGraph {
  explicit RecordedGraph(const nlohmann::json& from)
      : record(from),
        model(nn::model_from_json(from["model"].dump())),
        parameters(nn::parameters(model)),
        labels(list<std::int32_t>(from["labels"])),
        input(list<float>(from["input"])) {
    const auto samples = static_cast<std::int64_t>(labels.size());
    batch = {
        .input = ConstTensorView(std::span<const float>(input), model.input.with_front(samples)),
        .labels = ConstTensorView(std::span<const std::int32_t>(labels), {samples}),
        .samples = samples};
    options = {.batch = samples,
               .loss = nn::Loss::softmax_cross_entropy,
               .optimizer = {.learning_rate = from["learning_rate"].get<double>()}};
  }
  RecordedGraph(const RecordedGraph&) = delete;
  RecordedGraph& operator=(const RecordedGraph&) = delete;

  /// The arena of recorded values by name: "parameters", "gradients", "trained". What is not named
  /// is zero.
  [[nodiscard]] std::vector<double> arena(const char* what) const {
    std::vector<double> all(static_cast<std::size_t>(nn::arena_elements(parameters)), 0.0);
    for (const nn::Parameter& parameter : parameters) {
      if (!record[what].contains(parameter.name)) continue;
      const auto values = list<double>(record[what][parameter.name]);
      REQUIRE(static_cast<std::int64_t>(values.size()) == parameter.shape.elements());
      std::copy(values.begin(), values.end(), all.begin() + parameter.offset);
    }
    return all;
  }

  nlohmann::json record;
  nn::Model model;
  std::vector<nn::Parameter> parameters;
  std::vector<std::int32_t> labels;
  std::vector<float> input;
  nn::Batch batch;
  nn::CompileOptions options;
};

}  // namespace millrace::test
