#pragma once
// The interface of update rules, one file each, for host and device. A rule is a struct with
//   static constexpr int kStates          how many numbers it keeps for each weight
//   template <class Real> struct Fixed    what all weights and steps share, Reals alone
//   template <class Real> struct Step     what all weights of a step share, Reals alone
//   template <class Math, class Real>
//   MILLRACE_HOST_DEVICE static void apply(const Fixed<Real>&, const Step<Real>&, Real gradient,
//                                          Real& weight, Real&... states)
// and the float64 reference, the CPU's vectorised loops and the CUDA kernel all call this one
// apply(). Two kinds of constants, because a GPU counts its steps itself (it alone knows which were
// skipped), and has no registers for numbers that a launch can bring along. An optimizer (a name on
// the command line) is a struct with
//   static constexpr OptimizerInfo kInfo
//   using Rule
//   MILLRACE_HOST_DEVICE static Rule::Fixed<double> fixed(const UpdateOptions&)
//   MILLRACE_HOST_DEVICE static Rule::Step<double> step(const UpdateOptions&, double rate,
//                                                       double t)
//   using WithMomentum                    replaces it if a momentum is given: a struct with a
//                                         Rule and its own constants; optional
// Its options besides those of OptimizerOptions are listed only in kInfo.own: the
// command line, recipes, help and checks come from there, and UpdateOptions::own has their values.
//   static constexpr RuleOptions kOwn{{{.name = "dampening", ...}}};
//   static constexpr int kDampening = place_of(kOwn, "dampening");  // options.own[kDampening]
// and a line in optimizers.h, or, outside the library, a call of register_optimizer() (registry.h),
// and none of MILLRACE_HOST_DEVICE. Arenas have gaps, which must stay 0: from a weight, a gradient
// and states that are 0 a rule must make zeros.

#include <millrace/core/host_device.h>
#include <millrace/core/number_range.h>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace millrace::nn {

struct UpdateOptions;

/// An option that a rule has of its own. Rules may have options of the same name.
struct RuleOption {
  const char* name = nullptr;  ///< with underscores; --with-hyphens on the command line
  double usual = 0;            ///< where it is left open
  NumberRange range{};
  const char* help = "";   ///< a few words, as they stand in --help
  const char* needs = "";  ///< what it has no effect without, and whether that is there; or neither
  bool (*has_effect)(const UpdateOptions& options) = nullptr;
};

inline constexpr int kMostRuleOptions = 4;

struct RuleOptions {
  RuleOption list[kMostRuleOptions]{};  ///< those that are there stand first

  [[nodiscard]] constexpr const RuleOption* begin() const noexcept { return list; }
  [[nodiscard]] constexpr const RuleOption* end() const noexcept {
    const RuleOption* last = list;
    while (last != list + kMostRuleOptions && last->name != nullptr) ++last;
    return last;
  }
};

/// Where the option of that name stands; of a constant without it the program does not compile.
constexpr int place_of(const RuleOptions& options, std::string_view name) {
  for (const RuleOption& option : options) {
    if (option.name == name) return static_cast<int>(&option - options.begin());
  }
  throw std::logic_error("the rule lists no option of that name");
}

/// What is known of an optimizer beside its formula: its name, and what is usual where an option is
/// left open. An option without a usual value is none of the optimizer's.
struct OptimizerInfo {
  const char* name;
  double learning_rate;
  std::optional<double> beta1{}, beta2{}, epsilon{};
  bool has_momentum = false, has_nesterov = false;
  RuleOptions own{};
};

/// OptimizerOptions in which nothing is open.
struct UpdateOptions {
  double momentum = 0;
  bool nesterov = false;
  double beta1 = 0, beta2 = 0, epsilon = 0, weight_decay = 0;
  double own[kMostRuleOptions]{};  ///< of the options that the rule lists, in their order
};

/// a * b + c and a * b - c, rounded as the compiler likes.
struct PlainMath {
  template <class Real>
  MILLRACE_HOST_DEVICE static Real multiply_add(Real a, Real b, Real c) {
    return a * b + c;
  }
  template <class Real>
  MILLRACE_HOST_DEVICE static Real multiply_subtract(Real a, Real b, Real c) {
    return a * b - c;
  }
};

/// Rounded once.
struct FusedMath {
  template <class Real>
  static Real multiply_add(Real a, Real b, Real c) {
    return std::fma(a, b, c);
  }
  template <class Real>
  static Real multiply_subtract(Real a, Real b, Real c) {
    return std::fma(a, b, -c);
  }
};

/// The exponential moving average of weights: momentum * average + (1 - momentum) * weight, with
/// `share` 1 - momentum, in the form that leaves an average alone that is the weight already, zeros
/// in gaps among them.
template <class Math, class Real>
MILLRACE_HOST_DEVICE Real averaged(Real average, Real weight, Real share) {
  return Math::multiply_add(share, weight - average, average);
}

/// What rules derive from whose steps differ in their rate alone.
struct RateSteps {
  template <class Real>
  struct Step {
    Real rate;
  };
  MILLRACE_HOST_DEVICE static Step<double> step(const UpdateOptions& /*options*/, double rate,
                                                double /*t*/) {
    return {rate};
  }
};

/// Engines have an arena for each state.
inline constexpr int kMostStates = 2;

/// Constants as another type of number.
template <class To, template <class> class Constants, class From>
MILLRACE_HOST_DEVICE Constants<To> converted(const Constants<From>& constants) {
  constexpr int kCount = static_cast<int>(sizeof(constants) / sizeof(From));
  From from[kCount];
  To to[kCount];
  std::memcpy(from, &constants, sizeof(from));
  for (int i = 0; i < kCount; ++i) to[i] = static_cast<To>(from[i]);
  Constants<To> result;
  static_assert(sizeof(result) == sizeof(to), "constants are Reals alone");
  std::memcpy(&result, to, sizeof(to));
  return result;
}

/// float32 constants, whatever the rule.
class AnyConstants {
 public:
  template <template <class> class Constants>
  MILLRACE_HOST_DEVICE void set(const Constants<double>& exact) {
    const Constants<float> constants = converted<float>(exact);
    static_assert(sizeof(constants) <= sizeof(values_), "a rule has eight constants of a kind");
    std::memcpy(values_, &constants, sizeof(constants));
  }
  /// Those that were set.
  template <template <class> class Constants>
  [[nodiscard]] MILLRACE_HOST_DEVICE Constants<float> get() const {
    Constants<float> constants;
    float values[sizeof(constants) / sizeof(float)];  // copied as floats: nvcc would load bytes
    for (std::size_t i = 0; i < sizeof(constants) / sizeof(float); ++i) values[i] = values_[i];
    std::memcpy(&constants, values, sizeof(values));
    return constants;
  }

 private:
  float values_[8];
};

/// The numbers of a step, for engines with loops of their own.
struct UpdateConstants {
  AnyConstants fixed, step;
};

}  // namespace millrace::nn
