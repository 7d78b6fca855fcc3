#pragma once
// The arguments of a layer's loops: the operands of one operation, for the valid rows of a batch
// or of a slice of it, as [samples][height][width][channels] or [samples][features], row-major.
// Results are overwritten. In float64 for the reference engine, in float32 for
// kinds that the CPU engine does not know.

#include <millrace/core/shape.h>
#include <millrace/nn/layers/operand.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace millrace::nn::reference {

/// A span that is indexed with the signed type of extents.
template <class T>
class Flat {
 public:
  Flat() = default;
  Flat(std::span<T> values) : values_(values) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] T& operator[](std::int64_t i) const { return values_[static_cast<std::size_t>(i)]; }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(values_.size()); }
  [[nodiscard]] std::span<T> span() const { return values_; }
  [[nodiscard]] T* begin() const { return values_.data(); }
  [[nodiscard]] T* end() const { return values_.data() + values_.size(); }

 private:
  std::span<T> values_;
};
using In = Flat<const double>;
using Out = Flat<double>;

/// One operation of a layer. Plain data; the memory is its maker's and outlives it.
template <class Real>
struct BasicCall {
  using In = Flat<const Real>;
  using Out = Flat<Real>;
  struct Bound {
    Operand operand;
    std::span<Real> values;
  };

  std::int64_t samples = 0;     ///< valid rows
  std::vector<Shape> inputs{};  ///< of the layer, of one sample
  Shape output{};
  std::vector<Bound> operands{};  ///< what the operation reads and makes
  // What the layer's random numbers are a function of.
  std::uint64_t seed = 0;
  std::uint32_t pass = 0;
  int layer = 0;
  std::span<const std::uint64_t> positions{};  ///< of the samples in the pass; empty: 0, 1, 2, ...

  /// Empty if the operation has no such operand: a layer without bias, dx before which nothing
  /// trains.
  [[nodiscard]] Out out(const Operand& operand) const {
    for (const Bound& bound : operands) {
      if (bound.operand == operand) return bound.values;
    }
    return {};
  }
  [[nodiscard]] In in(const Operand& operand) const {
    return std::span<const Real>(out(operand).span());
  }
  [[nodiscard]] In x(int which = 0) const { return in(operand::input(which)); }
  [[nodiscard]] In dy() const { return in(operand::dy); }
  [[nodiscard]] Out y() const { return out(operand::y); }
  [[nodiscard]] Out dx(int which = 0) const { return out(operand::input_gradient(which)); }
  [[nodiscard]] In parameter(Role role) const { return in(operand::parameter(role)); }
  [[nodiscard]] Out gradient(Role role) const { return out(operand::gradient(role)); }
  [[nodiscard]] Out saved(int which) const { return out(operand::saved(which)); }

  [[nodiscard]] const Shape& input() const { return inputs.front(); }
  /// The input as a list of pixels: an image's, or one of all features.
  [[nodiscard]] std::int64_t channels() const { return input()[-1]; }
  [[nodiscard]] std::int64_t pixels() const { return input().elements() / channels(); }
};

using Call = BasicCall<double>;
using FloatCall = BasicCall<float>;

}  // namespace millrace::nn::reference

/// After the loops of a kind, which are templates: instantiates them for float64 and float32.
#define MILLRACE_LOOPS_OF(Kind)                                   \
  template void Kind::forward(const reference::Call&) const;      \
  template void Kind::forward(const reference::FloatCall&) const; \
  template void Kind::backward(const reference::Call&) const;     \
  template void Kind::backward(const reference::FloatCall&) const;
