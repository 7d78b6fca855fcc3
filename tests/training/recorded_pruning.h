#pragma once
// A training with tfmot, recorded, and the executor that is to do the same.

#include "catch.h"
#include "nn/recorded.h"

#include <millrace/nn/initialize.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/training/pruner.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

using Values = std::vector<float>;

/// A net 6-8-1, the samples and, after each step, the weights of a recorded training with tfmot.
class Recording {
 public:
  Recording() : record_(recorded("pruning.json")["training"]) {
    const nlohmann::json& s = record_["schedule"];
    schedule_ = {.kind = nn::prune_kind(s["kind"].get<std::string>()),
                 .initial_sparsity = s["initial"],
                 .final_sparsity = s["final"],
                 .begin_step = s["begin"],
                 .end_step = s["end"].get<std::uint64_t>(),
                 .frequency = s["frequency"],
                 .power = s["power"],
                 .keras_compat = true};
    x_ = list<float>(record_["x"]);
    labels_ = list<std::int32_t>(record_["labels"]);
  }

  [[nodiscard]] const nn::PruneSchedule& schedule() const { return schedule_; }
  [[nodiscard]] std::size_t steps() const { return record_["steps"].size(); }
  [[nodiscard]] std::size_t steps_per_epoch() const {
    return labels_.size() / static_cast<std::size_t>(samples());
  }
  [[nodiscard]] bool ends_epoch(std::size_t step) const { return step % steps_per_epoch() == 0; }

  /// What tfmot keeps of step 1, 2, ...: the kernels before they are masked, the masks in use.
  [[nodiscard]] Values kernel(std::size_t step, std::size_t layer) const {
    return list<float>(record_["steps"][step - 1]["kernels"][layer]);
  }
  [[nodiscard]] Values bias(std::size_t step, std::size_t layer) const {
    return list<float>(record_["steps"][step - 1]["biases"][layer]);
  }
  [[nodiscard]] Values mask(std::size_t step, std::size_t layer) const {
    Values mask;
    for (const char c : record_["steps"][step - 1]["masks"][layer].get<std::string>()) {
      mask.push_back(c == '1' ? 1.0F : 0.0F);
    }
    return mask;
  }
  [[nodiscard]] float threshold(std::size_t step, std::size_t layer) const {
    return record_["steps"][step - 1]["thresholds"][layer];
  }
  /// The kernels as the end of the epoch with this step left them.
  [[nodiscard]] Values kernel_of_epoch(std::size_t step, std::size_t layer) const {
    return list<float>(record_["epochs"][step / steps_per_epoch() - 1][layer]);
  }
  [[nodiscard]] Values first_kernel(std::size_t layer) const {
    return list<float>(record_["kernels"][layer]);
  }

  void train(nn::Executor& executor, std::size_t step) const {
    const std::size_t first = (step - 1) % steps_per_epoch() * static_cast<std::size_t>(samples());
    const auto n = static_cast<std::size_t>(samples());
    executor.train(
        {.input = ConstTensorView(std::span(x_).subspan(first * 6, n * 6), {samples(), 6}),
         .labels = ConstTensorView(std::span(labels_).subspan(first, n), {samples()}),
         .samples = samples()},
        static_cast<std::int64_t>(step), record_["learning_rate"]);
  }

 private:
  [[nodiscard]] std::int64_t samples() const { return record_["batch"]; }
  nlohmann::json record_;
  nn::PruneSchedule schedule_;
  Values x_;
  std::vector<std::int32_t> labels_;
};

inline nn::Model small_net() {
  return nn::ModelBuilder("small", {6}).dense(8).relu().dense(1).sigmoid().build();
}

/// The executor under test, its parameters by name.
struct Net {
  nn::Model model = small_net();
  std::vector<nn::Parameter> parameters = nn::parameters(model);
  std::unique_ptr<nn::Executor> executor =
      nn::ReferenceEngine().compile(model, {.batch = 8, .masks = true});

  explicit Net(const Recording& recording) {
    executor->allocate();
    Values weights(static_cast<std::size_t>(nn::arena_elements(parameters)));
    std::size_t layer = 0;
    for (const nn::Parameter& p : parameters) {
      if (p.role != nn::Role::kernel) continue;
      const Values kernel = recording.first_kernel(layer++);
      std::copy(kernel.begin(), kernel.end(), weights.begin() + p.offset);
    }
    executor->write(nn::Arena::parameters, weights);
  }

  [[nodiscard]] Values values(nn::Arena arena, const std::string& name) const {
    Values all(static_cast<std::size_t>(arena == nn::Arena::parameters
                                            ? nn::arena_elements(parameters)
                                            : nn::trainable_elements(parameters)));
    executor->read(arena, all);
    const auto p = std::find_if(parameters.begin(), parameters.end(),
                                [&](const nn::Parameter& q) { return q.name == name; });
    const auto begin = all.begin() + p->offset;
    return {begin, begin + p->shape.elements()};
  }
  [[nodiscard]] Values weights(const std::string& name) const {
    return values(nn::Arena::parameters, name);
  }
  [[nodiscard]] Values mask(const std::string& name) const {
    return values(nn::Arena::masks, name);
  }
};

inline const std::vector<std::string> kKernels{"dense1.weight", "dense2.weight"};
inline const std::vector<std::string> kBiases{"dense1.bias", "dense2.bias"};

inline std::ptrdiff_t zeros(const Values& values) {
  return std::count(values.begin(), values.end(), 0.0F);
}

}  // namespace millrace::test
