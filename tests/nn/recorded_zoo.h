#pragma once
// Networks of the zoo as tests/reference/record_zoo.py recorded them from PyTorch, and
// record_zoo_keras.py from Keras.

#include <millrace/nn/engine.h>
#include <millrace/nn/zoo/zoo.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "nn/recorded.h"
#include "nn/rule.h"

namespace millrace::test {

inline std::string_view layer_of(const nn::Parameter& parameter) {
  return std::string_view(parameter.name).substr(0, parameter.name.rfind('.'));
}

/// Keras's word for a parameter of this role.
inline const char* keras_word(nn::Role role) {
  switch (role) {
    case nn::Role::kernel: return "kernel";
    case nn::Role::bias: return "bias";
    case nn::Role::gamma: return "gamma";
    case nn::Role::beta: return "beta";
    case nn::Role::running_mean: return "moving_mean";
    case nn::Role::running_variance: return "moving_variance";
  }
  return "";
}

inline double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double value : values) result = std::max(result, std::abs(value));
  return result;
}

/// A recorded network of `file` with weights and a batch of its own. Not to be moved: the batch
/// looks at the rest.
class RecordedNetwork {
 public:
  /// `of`: the record itself, or its "steps".
  RecordedNetwork(const nlohmann::json& file, const nlohmann::json& record,
                  const nlohmann::json& of)
      : seed_(file["seed"].get<std::uint32_t>()),
        output_(record["output"].get<std::string>()),
        scale_(of["scale"].get<double>()),
        model(
            made(record["spec"].get<std::string>(), of["size"][0], of["size"][1], file["classes"])),
        parameters(nn::parameters(model)) {
    const auto samples = of["samples"].get<std::int64_t>();
    const Shape shape = model.input.with_front(samples);
    input_.resize(static_cast<std::size_t>(shape.elements()));
    for (std::uint32_t i = 0; i < input_.size(); ++i) {
      input_[i] = static_cast<float>(mixed(seed_, 1000, i) >> 24) / 128 - 1;
    }
    labels_.resize(static_cast<std::size_t>(samples));
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      labels_[i] = static_cast<std::int32_t>(i) % file["classes"].get<std::int32_t>();
    }
    batch = {.input = ConstTensorView(std::span<const float>(input_), shape),
             .labels = ConstTensorView(std::span<const std::int32_t>(labels_), {samples}),
             .samples = samples};
    options = {.batch = samples, .loss = nn::Loss::softmax_cross_entropy};
    if (of.contains("rate")) options.optimizer.learning_rate = of["rate"].get<double>();
  }
  RecordedNetwork(const RecordedNetwork&) = delete;
  RecordedNetwork& operator=(const RecordedNetwork&) = delete;

  /// Tensors are counted by Keras's names.
  void use_keras_names() { is_keras_ = true; }
  [[nodiscard]] std::string keras_name(const nn::Parameter& p) const {
    return nn::zoo_keras_name(model.name, layer_of(p));
  }

  /// The weights as an arena.
  [[nodiscard]] std::vector<float> arena() const {
    std::vector<float> all(static_cast<std::size_t>(nn::arena_elements(parameters)));
    for (const nn::Parameter& p : parameters) {
      const std::uint32_t tensor = number(p);
      const double limit =
          p.role == nn::Role::kernel ? std::sqrt(6.0 / static_cast<double>(p.fan_in)) : 0.1;
      const bool is_output = (is_keras_ ? keras_name(p) : std::string(layer_of(p))) == output_;
      const double scale = is_output ? scale_ : 1;
      for (std::uint32_t i = 0; i < p.shape.elements(); ++i) {
        const double value = unit(seed_, tensor, i);
        all[static_cast<std::size_t>(p.offset) + i] =
            static_cast<float>((is_around_one(p) ? 1 + 0.25 * value : value * limit) / scale);
      }
    }
    return all;
  }

  /// What the recorded logits are after a softmax.
  [[nodiscard]] static std::vector<double> outputs(const nlohmann::json& record) {
    std::vector<double> values = list<double>(record["logits"]);
    const std::size_t classes = values.size() / record["samples"].get<std::size_t>();
    for (auto row = values.begin(); row != values.end();
         row += static_cast<std::ptrdiff_t>(classes)) {
      double sum = 0;
      const auto end = row + static_cast<std::ptrdiff_t>(classes);
      for (auto value = row; value != end; ++value) sum += * value = std::exp(*value);
      for (auto value = row; value != end; ++value) *value /= sum;
    }
    return values;
  }

  /// Of a gradient: its norm, and its product with numbers of the rule.
  [[nodiscard]] std::pair<double, double> gradient(std::span<const double> values) const {
    double squares = 0, product = 0;
    for (const nn::Parameter& p : parameters) {
      if (!p.trainable) continue;
      const std::uint32_t tensor = number(p);
      for (std::uint32_t i = 0; i < p.shape.elements(); ++i) {
        const double value = values[static_cast<std::size_t>(p.offset) + i];
        squares += value * value;
        product += value * unit(seed_ + 1, tensor, i);
      }
    }
    return {std::sqrt(squares), product};
  }

  /// A hash of the names and shapes of PyTorch's tensors.
  [[nodiscard]] std::uint32_t tensors() const {
    std::vector<std::string> lines;
    for (const nn::Parameter& p : parameters) {
      const nn::TorchTensor tensor = nn::zoo_torch_tensor(model, p);
      lines.push_back(concat(tensor.name, ' ', tensor.shape, '\n'));
    }
    std::ranges::sort(lines);
    return hash(std::accumulate(lines.begin(), lines.end(), std::string()));
  }

 private:
  static nn::Model made(std::string spec, std::int64_t height, std::int64_t width,
                        std::int64_t classes) {
    const bool has_dropout = !spec.starts_with("resnet") && !spec.starts_with("vgg");
    if (has_dropout) spec += ":no-dropout";
    return nn::zoo_model(spec, {height, width, 3}, classes);
  }
  [[nodiscard]] std::uint32_t number(const nn::Parameter& p) const {
    return hash(is_keras_ ? keras_name(p) + '/' + keras_word(p.role)
                          : nn::zoo_torch_tensor(model, p).name);
  }
  static bool is_around_one(const nn::Parameter& p) {
    return p.role == nn::Role::gamma || p.role == nn::Role::running_variance;
  }

  std::uint32_t seed_;
  std::string output_;
  double scale_;
  std::vector<float> input_;
  std::vector<std::int32_t> labels_;
  bool is_keras_ = false;

 public:
  nn::Model model;
  std::vector<nn::Parameter> parameters;
  nn::Batch batch;
  nn::CompileOptions options;
};

/// Calls check(file, record) for the networks whose names begin with `family`.
template <class Check>
void for_each_network(std::string_view family, Check check, const char* name = "zoo.json") {
  const nlohmann::json file = recorded(name);
  int checked = 0;
  for (const nlohmann::json& record : file["networks"]) {
    const auto spec = record["spec"].get<std::string>();
    if (!spec.starts_with(family)) continue;
    INFO(spec);
    check(file, record);
    ++checked;
  }
  CHECK(checked > 0);
}

}  // namespace millrace::test
