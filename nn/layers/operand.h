#pragma once
// The inputs and outputs of operations, by name.

#include <cstdint>

namespace millrace::nn {

/// What a parameter is for: engines and optimizers go by it, not by names.
enum class Role { kernel, bias, gamma, beta, running_mean, running_variance };
[[nodiscard]] constexpr bool is_statistic(Role role) {
  return role == Role::running_mean || role == Role::running_variance;
}

/// What an operation reads or makes, by name: the layer's inputs and output, their gradients, a
/// parameter or its gradient, or the i-th of what forward saves for backward.
struct Operand {
  enum class Of : std::uint8_t { x, y, dy, dx, labels, parameter, gradient, saved };
  Of of = Of::x;
  int which = 0;  ///< the number of an input (x, dx) or of what is saved, or a Role

  friend bool operator==(const Operand&, const Operand&) = default;
};
namespace operand {
inline constexpr Operand x{Operand::Of::x}, y{Operand::Of::y}, dy{Operand::Of::dy},
    dx{Operand::Of::dx}, labels{Operand::Of::labels};  // x, dx: of the only input, or the first
[[nodiscard]] constexpr Operand input(int which) {
  return {Operand::Of::x, which};
}
[[nodiscard]] constexpr Operand input_gradient(int which) {
  return {Operand::Of::dx, which};
}
[[nodiscard]] constexpr Operand parameter(Role role) {
  return {Operand::Of::parameter, static_cast<int>(role)};
}
[[nodiscard]] constexpr Operand gradient(Role role) {
  return {Operand::Of::gradient, static_cast<int>(role)};
}
[[nodiscard]] constexpr Operand saved(int which) {
  return {Operand::Of::saved, which};
}
}  // namespace operand

}  // namespace millrace::nn
