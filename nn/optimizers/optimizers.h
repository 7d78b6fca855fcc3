#pragma once
// All optimizers: their names, options, states and loops are derived from this list.

#include <millrace/core/error.h>
#include <millrace/core/type_list.h>
#include <millrace/nn/optimizers/adagrad.h>
#include <millrace/nn/optimizers/adam.h>
#include <millrace/nn/optimizers/lion.h>
#include <millrace/nn/optimizers/rmsprop.h>
#include <millrace/nn/optimizers/sgd.h>

namespace millrace::nn {

using Optimizers = TypeList<Sgd, Adam, KerasAdam, AdamW, Rmsprop, Adagrad, Lion>;

/// Formulas: docs/optimizers.md.
enum class OptimizerKind {
  sgd = Optimizers::index_of<Sgd>(),
  adam = Optimizers::index_of<Adam>(),
  keras_adam = Optimizers::index_of<KerasAdam>(),
  adamw = Optimizers::index_of<AdamW>(),
  rmsprop = Optimizers::index_of<Rmsprop>(),
  adagrad = Optimizers::index_of<Adagrad>(),
  lion = Optimizers::index_of<Lion>(),
};

/// Whether it is one of the above, and none that a program brings along (registry.h).
[[nodiscard]] constexpr bool is_of_library(OptimizerKind kind) noexcept {
  return static_cast<std::size_t>(kind) < Optimizers::size;
}

/// Calls use.template operator()<T>() with the T whose Rule and constants are to be used: the
/// optimizer, or what it is with a momentum.
template <class Optimizer, class Use>
decltype(auto) with_momentum(double momentum, Use&& use) {
  if constexpr (requires { typename Optimizer::WithMomentum; }) {
    static_assert(Optimizer::kInfo.has_momentum);
    if (momentum != 0) return use.template operator()<typename Optimizer::WithMomentum>();
  } else {
    static_assert(!Optimizer::kInfo.has_momentum, "where there is a momentum: WithMomentum");
  }
  return use.template operator()<Optimizer>();
}

/// The same of an optimizer of the library's.
template <class Use>
decltype(auto) with_optimizer(OptimizerKind kind, double momentum, Use&& use) {
  MILLRACE_CHECK(is_of_library(kind), "no optimizer of the library's: ", static_cast<int>(kind));
  return with_type_at(
      Optimizers{}, static_cast<int>(kind),
      [&]<class Optimizer>() -> decltype(auto) { return with_momentum<Optimizer>(momentum, use); });
}

}  // namespace millrace::nn
