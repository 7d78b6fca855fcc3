#pragma once
// Losses from outside the library, written as its own are (loss_row.h):
//   const nn::Loss loss = nn::register_loss<Quantile90>();
//   engine->compile(model, {.loss = loss});
// They run on the reference engine and the CPU engine.

#include <millrace/nn/losses/losses.h>

#include <cstdint>
#include <type_traits>
#include <typeinfo>

namespace millrace::nn {

/// Where the derivatives of a row go; null: nowhere.
template <class Real>
struct GradientRow {
  Real* values;
  explicit operator bool() const { return values != nullptr; }
  void operator()(std::int64_t j, double value) const { values[j] = static_cast<Real>(value); }
};

/// A loss as engines on the CPU call it, whatever its type.
struct LossEntry {
  template <class Real>
  using Evaluate = LossRow (*)(const Real* x, std::int64_t outputs, const Target& target,
                               double scale, const GradientRow<Real>& gradient);

  LossInfo info;
  const std::type_info* type;
  Evaluate<float> of_floats;
  Evaluate<double> of_doubles;

  [[nodiscard]] const char* name() const { return info.option; }
  template <class Real>
  [[nodiscard]] Evaluate<Real> evaluate_of() const {
    if constexpr (std::is_same_v<Real, float>)
      return of_floats;
    else
      return of_doubles;
  }

  template <class Kind>
  static LossEntry of() {
    return {Kind::kInfo, &typeid(Kind), evaluate<Kind, float>, evaluate<Kind, double>};
  }

 private:
  template <class Kind, class Real>
  static LossRow evaluate(const Real* x, std::int64_t outputs, const Target& target, double scale,
                          const GradientRow<Real>& gradient) {
    return Kind::template evaluate<ExactMath>(x, outputs, target, scale, gradient);
  }
};

/// See register_loss<Kind>().
Loss register_loss(const LossEntry& entry);

/// The value that CompileOptions::loss takes, the same each time; loss_named() finds it by
/// kInfo.option. A loss of the library's is what it was. Throws UsageError if the name is
/// another loss's, or has something else in it than letters, digits, '_', '-' and '.'. Thread-safe.
template <class Kind>
Loss register_loss() {
  return register_loss(LossEntry::of<Kind>());
}

}  // namespace millrace::nn
