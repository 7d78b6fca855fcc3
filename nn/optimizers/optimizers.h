#pragma once
// All optimizers: their names, options, states and loops come from this list.

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

/// Calls use.template operator()<T>() with the T whose Rule and constants() are to be used.
template <class Use>
decltype(auto) with_optimizer(OptimizerKind kind, double momentum, Use&& use) {
  return with_type_at(Optimizers{}, static_cast<int>(kind),
                      [&]<class Optimizer>() -> decltype(auto) {
                        if constexpr (requires { typename Optimizer::WithMomentum; }) {
                          static_assert(Optimizer::kInfo.has_momentum);
                          if (momentum != 0)
                            return use.template operator()<typename Optimizer::WithMomentum>();
                        } else {
                          static_assert(!Optimizer::kInfo.has_momentum);
                        }
                        return use.template operator()<Optimizer>();
                      });
}

}  // namespace millrace::nn
