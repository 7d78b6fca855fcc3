#pragma once
// A pole on a cart: equations, limits and start of Barto, Sutton and Anderson, "Neuronlike adaptive
// elements that can solve difficult learning control problems" (1983), without friction.

#include <millrace/core/random.h>

#include <array>
#include <cmath>
#include <numbers>

/// Position and speed of the cart, angle and angular speed of the pole, each about -1 to 1.
using State = std::array<float, 4>;

class Cart {
 public:
  explicit Cart(millrace::Random& random) {
    for (double& value : values_) value = random.uniform(-0.05, 0.05);
  }
  /// Pushes it for 0.02 s, to the left (0) or to the right (1).
  void push(std::size_t action) {
    auto& [place, speed, angle, turning] = values_;
    const double force = action == 1 ? 10 : -10, cosine = std::cos(angle), sine = std::sin(angle);
    const double pull = (force + kPole * kHalf * turning * turning * sine) / kMass;
    const double turn =
        (9.8 * sine - cosine * pull) / (kHalf * (4.0 / 3 - kPole * cosine * cosine / kMass));
    place += kTick * speed;
    speed += kTick * (pull - kPole * kHalf * turn * cosine / kMass);
    angle += kTick * turning;
    turning += kTick * turn;
  }
  [[nodiscard]] bool has_failed() const {
    return std::abs(values_[0]) > kEnd || std::abs(values_[2]) > kSteepest;
  }
  [[nodiscard]] State state() const {
    return {static_cast<float>(values_[0] / kEnd), static_cast<float>(values_[1] / 2),
            static_cast<float>(values_[2] / kSteepest), static_cast<float>(values_[3] / 2)};
  }

 private:
  static constexpr double kPole = 0.1, kMass = 1.1, kHalf = 0.5;  // kg, kg with the cart, m
  static constexpr double kTick = 0.02, kEnd = 2.4, kSteepest = 12 * std::numbers::pi / 180;
  std::array<double, 4> values_{};  // m, m/s, radians, radians/s
};
