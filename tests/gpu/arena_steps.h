#pragma once
// An arena that the kernels of the update work on, and the same steps in float64 by nn's own
// functions: two ways to the same weights.

#include "catch.h"
#include "gpu/kernel_device.h"

#include <millrace/core/half.h>
#include <millrace/core/random.h>
#include <millrace/gpu/kernels/step.h>
#include <millrace/gpu/kernels/update.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace millrace::test {

/// What kernels read and write. Copies are the host's alone.
template <class T>
using Shared = std::pmr::vector<T>;
template <class T>
Shared<T> shared(std::size_t count, T value = {}) {
  return Shared<T>(count, value, gpu::test::kernel_memory());
}

inline void run(const gpu::Launch& launch) {
  gpu::test::run_kernel(launch);
}
inline void run(const std::vector<gpu::Launch>& launches) {
  for (const gpu::Launch& launch : launches) run(launch);
}

/// Numbers of a storage type.
class Stored {
 public:
  Stored(gpu::Type type, std::size_t count)
      : type_(type),
        floats_(shared<float>(is_wide() ? count : 0)),
        halves_(shared<std::uint16_t>(is_wide() ? 0 : count)) {}
  void set(std::size_t i, float value) {
    if (is_wide()) {
      floats_[i] = value;
    } else {
      halves_[i] = type_ == gpu::Type::f16 ? f16_from_float(value) : bf16_from_float(value);
    }
  }
  [[nodiscard]] float get(std::size_t i) const {
    if (is_wide()) return floats_[i];
    return type_ == gpu::Type::f16 ? float_from_f16(halves_[i]) : float_from_bf16(halves_[i]);
  }
  [[nodiscard]] void* data() {
    return is_wide() ? static_cast<void*>(floats_.data()) : halves_.data();
  }
  friend bool operator==(const Stored&, const Stored&) = default;

 private:
  [[nodiscard]] bool is_wide() const { return type_ == gpu::Type::f32; }
  gpu::Type type_;
  Shared<float> floats_;
  Shared<std::uint16_t> halves_;
};

inline constexpr gpu::Type kTypes[] = {gpu::Type::f32, gpu::Type::f16, gpu::Type::bf16};

/// float32 against float64: `relative` of the number, and of a number of size 1.
inline void check_near(std::span<const float> values, const std::vector<double>& expected,
                       double relative) {
  REQUIRE(values.size() == expected.size());
  double worst = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double error = std::abs(static_cast<double>(values[i]) - expected[i]);
    worst = std::max(worst, error / (1 + std::abs(expected[i])));
  }
  CHECK(worst <= relative);
}

struct ArenaOptions {
  gpu::Type type = gpu::Type::f32;
  nn::OptimizerOptions optimizer{};
  nn::GradientOptions gradient{};
  std::optional<nn::LossScaleOptions> loss_scale{};
  bool masks = false;
  std::optional<double> average{};
  /// Of the parameters; every other one is a kernel. They begin at multiples of 16.
  std::vector<std::size_t> counts{37, 5, 96, 11};
};

/// What the kernels change.
struct ArenaState {
  Shared<float> weights;
  std::array<Shared<float>, nn::kMostStates> states;
  Stored working;
  Shared<float> average;
  friend bool operator==(const ArenaState&, const ArenaState&) = default;
};

class ArenaSteps {
 public:
  explicit ArenaSteps(const ArenaOptions& options)
      : options_(options),
        segments_(shared<gpu::Segment>(options.counts.size())),
        size_(place()),
        state_{shared<float>(size_),
               {shared<float>(size_), shared<float>(size_)},
               Stored(options.type, size_),
               shared<float>(size_)},
        gradients_(options.type, size_),
        masks_(shared(size_, 1.0F)),
        given_(shared<float>(size_)),
        partials_(shared<double>(2 * gpu::kArenaParts)),
        norms_(shared<double>(segments_.size() * gpu::kNormParts)) {
    for_each([&](std::size_t i) {
      state_.weights[i] = static_cast<float>(random_.normal());
      if (options.masks && random_.coin(0.4)) masks_[i] = 0;
    });
    run(gpu::refresh_working(options.type, state_.weights.data(), state_.working.data(),
                             static_cast<std::int64_t>(size_)));
    scalars().loss_scale.scale = options.loss_scale ? options.loss_scale->initial : 1;
    exact_.weights.assign(state_.weights.begin(), state_.weights.end());
    state_.average = state_.weights;
    exact_.average = exact_.weights;
    for (std::vector<double>& state : exact_.states) state.resize(size_);
  }

  /// Random gradients of about `size`; scaled as they come from a backward pass.
  void draw_gradients(double size) {
    for_each([&](std::size_t i) {
      set_gradient(i, static_cast<float>(size * random_.normal() * scalars().loss_scale.scale));
    });
  }
  void set_gradient(std::size_t i, float scaled) { gradients_.set(i, scaled); }
  void begin(std::int64_t t, double learning_rate, std::int64_t samples = 1, bool masked = true) {
    run(gpu::begin_step(&scalars(), {learning_rate, t, samples, 0, masked ? 1U : 0U}));
  }
  void update() {
    run(gpu::update(options_.type, arenas(), options_.optimizer, options_.gradient,
                    options_.loss_scale ? &*options_.loss_scale : nullptr, &scalars(),
                    options_.average));
  }
  void swap_average() { run(gpu::swap_average(options_.type, arenas())); }
  void penalty() { run(gpu::penalty(arenas(), options_.gradient, &scalars())); }
  [[nodiscard]] Shared<float> read_gradients(bool after_update) {
    Shared<float> seen = shared(size_, -1.0F);
    run(gpu::read_gradients(options_.type, arenas(), options_.gradient, after_update, seen.data(),
                            &scalars()));
    return seen;
  }

  /// The step that update() is about to do, in float64; `t` without the steps that were skipped.
  /// Returns the penalty and leaves what the optimizer was given in exact_gradients().
  double update_exactly(std::int64_t t, double learning_rate, bool masked = true) {
    const double penalty = differentiate_exactly();
    clip_exactly();
    const std::vector<std::span<double>> states(
        exact_.states.begin(), exact_.states.begin() + nn::state_arenas(options_.optimizer));
    nn::update(options_.optimizer, learning_rate, t, exact_.weights, exact_.gradients, states);
    for_each([&](std::size_t i) {
      const double m = options_.average.value_or(1);
      exact_.average[i] = m * exact_.average[i] + (1 - m) * exact_.weights[i];
      if (!masked || !options_.masks) return;
      exact_.weights[i] *= static_cast<double>(masks_[i]);
      exact_.average[i] *= static_cast<double>(masks_[i]);
    });
    return penalty;
  }
  /// Unscaled, with the part of L2.
  double differentiate_exactly() {
    const double scale = scalars().loss_scale.scale, l2 = options_.gradient.l2;
    exact_.gradients.assign(size_, 0);
    double squares = 0;
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      for (std::size_t i : elements(s)) {
        exact_.gradients[i] = static_cast<double>(gradients_.get(i)) / scale;
        if (segments_[s].is_penalised == 0) continue;
        exact_.gradients[i] += 2 * l2 * exact_.weights[i];
        squares += exact_.weights[i] * exact_.weights[i];
      }
    }
    return l2 * squares;
  }

  [[nodiscard]] gpu::Scalars& scalars() { return scalars_.front(); }
  [[nodiscard]] const ArenaState& state() const { return state_; }
  [[nodiscard]] const Shared<float>& masks() const { return masks_; }
  [[nodiscard]] const std::vector<double>& exact_weights() const { return exact_.weights; }
  [[nodiscard]] const std::vector<double>& exact_average() const { return exact_.average; }
  [[nodiscard]] const std::vector<double>& exact_gradients() const { return exact_.gradients; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] gpu::UpdateArenas arenas() {
    return {.elements = static_cast<std::int64_t>(size_),
            .weights = state_.weights.data(),
            .working = options_.type == gpu::Type::f32 ? nullptr : state_.working.data(),
            .gradients = gradients_.data(),
            .states = {state_.states[0].data(), state_.states[1].data()},
            .masks = options_.masks ? masks_.data() : nullptr,
            .average = options_.average ? state_.average.data() : nullptr,
            .given = given_.data(),
            .segments = segments_.data(),
            .segment_count = static_cast<std::int64_t>(segments_.size()),
            .partials = partials_.data(),
            .norms = norms_.data()};
  }
  template <class Body>
  void for_each(Body&& body) const {
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      for (std::size_t i : elements(s)) body(i);
    }
  }

 private:
  std::size_t place() {
    std::size_t end = 0;
    for (std::size_t p = 0; p < options_.counts.size(); ++p) {
      const std::size_t offset = (end + 15) / 16 * 16;
      end = offset + options_.counts[p];
      segments_[p] = {.offset = static_cast<std::int64_t>(offset),
                      .count = static_cast<std::int64_t>(options_.counts[p]),
                      .is_penalised = p % 2 == 0 && options_.gradient.l2 > 0 ? 1U : 0U};
    }
    return end;
  }
  [[nodiscard]] std::vector<std::size_t> elements(std::size_t segment) const {
    std::vector<std::size_t> result(static_cast<std::size_t>(segments_[segment].count));
    for (std::size_t k = 0; k < result.size(); ++k) {
      result[k] = static_cast<std::size_t>(segments_[segment].offset) + k;
    }
    return result;
  }
  void clip_exactly() {
    const nn::GradientOptions& options = options_.gradient;
    double all = 0;
    for (std::size_t s = 0; s < segments_.size(); ++s) {
      double squares = 0;
      for (std::size_t i : elements(s)) squares += exact_.gradients[i] * exact_.gradients[i];
      all += squares;
      if (options.clip_norm == 0) continue;
      const double factor = nn::norm_factor(options.clip_norm, std::sqrt(squares));
      for (std::size_t i : elements(s)) exact_.gradients[i] *= factor;
    }
    for (double& g : exact_.gradients) {
      if (options.clip_value > 0)
        g = std::fmin(std::fmax(g, -options.clip_value), options.clip_value);
      if (options.clip_global_norm > 0) {
        g *= nn::global_norm_factor(options.clip_global_norm, std::sqrt(all));
      }
    }
  }

  struct Exact {
    std::vector<double> weights, gradients, average;
    std::array<std::vector<double>, nn::kMostStates> states;
  };
  ArenaOptions options_;
  Shared<gpu::Segment> segments_;
  std::size_t size_;
  Random random_{7, 0, 0, Purpose::user};
  ArenaState state_;
  Stored gradients_;
  Shared<float> masks_, given_;
  Shared<double> partials_, norms_;
  Shared<gpu::Scalars> scalars_ = shared<gpu::Scalars>(1);
  Exact exact_;
};

}  // namespace millrace::test
