#include <millrace/gpu/kernels/update.h>

#include <millrace/gpu/kernels/apply.h>
#include <millrace/gpu/kernels/kernel.h>

#include <utility>

namespace millrace::gpu {
namespace {

/// What the launches of one update have in common. Arenas that are absent are null, which a
/// launch's list of accesses leaves out.
struct Plan {
  Type type;
  const UpdateArenas& arenas;
  const nn::GradientOptions& gradient;
  Scalars* scalars;
  std::int64_t elements = arenas.elements;

  [[nodiscard]] bool sums_squares() const {
    return gradient.l2 > 0 || gradient.clip_global_norm > 0;
  }
  /// Of partial sums in the arena: squares of weights, and of gradients.
  [[nodiscard]] int groups() const { return gradient.clip_global_norm > 0 ? 2 : 1; }
  [[nodiscard]] std::int64_t norms() const { return arenas.segment_count * kNormParts; }
  [[nodiscard]] float slope() const { return static_cast<float>(2 * gradient.l2); }

  template <class T>
  [[nodiscard]] const T* gradients(Launcher& at) const {
    return at.reads_any<T>(arenas.gradients, elements);
  }
  [[nodiscard]] const Segment* segments(Launcher& at) const {
    return at.reads_any<Segment>(arenas.segments, arenas.segment_count);
  }
  /// Null without L2, when nothing is penalised.
  [[nodiscard]] const float* penalised_weights(Launcher& at) const {
    return gradient.l2 > 0 ? at.reads_any<float>(arenas.weights, elements) : nullptr;
  }
  [[nodiscard]] const Segment* penalised(Launcher& at) const {
    return gradient.l2 > 0 ? segments(at) : nullptr;
  }
  [[nodiscard]] GradientRule rule(Launcher& at, bool clips) const {
    const bool has_norms = clips && gradient.clip_norm > 0;
    return {.segments = has_norms ? segments(at) : penalised(at),
            .segment_count = arenas.segment_count,
            .norms = has_norms ? at.reads_any<double>(arenas.norms, norms()) : nullptr,
            .slope = slope(),
            .clip_value = clips ? static_cast<float>(gradient.clip_value) : 0.0F};
  }
};

void check(const Plan& plan) {
  const UpdateArenas& arenas = plan.arenas;
  const nn::GradientOptions& gradient = plan.gradient;
  MILLRACE_CHECK((gradient.l2 == 0 && gradient.clip_norm == 0) ||
                     (arenas.segments != nullptr && arenas.segment_count > 0),
                 "L2 and clip_norm work on the segments of the arena: there are none");
  MILLRACE_CHECK(!plan.sums_squares() || arenas.partials != nullptr,
                 "L2 and clip_global_norm sum squares: no memory for partial sums");
  MILLRACE_CHECK(gradient.clip_norm == 0 || arenas.norms != nullptr,
                 "clip_norm: no memory for norms");
}

Launch fold(double* values, std::int64_t parts, std::int64_t totals, std::int64_t groups) {
  Launcher at("fold_sums");
  return at.calls(Fold{at.updates_any<double>(values, groups * parts), parts, totals},
                  groups * totals);
}

Launch finite_check(const Plan& plan) {
  return typed("finite_check", plan.type, plan.elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(
        FiniteCheck<T>{plan.gradients<T>(at), plan.elements, at.writes_any<Scalars>(plan.scalars)});
  });
}

Launch gradient_squares(const Plan& plan) {
  return typed("gradient_squares", plan.type, plan.elements, [&]<class T>(Launcher& at) {
    return at.calls(
        GradientSquares<T>{.gradients = plan.gradients<T>(at),
                           .weights = plan.penalised_weights(at),
                           .elements = plan.elements,
                           .segments = plan.penalised(at),
                           .segment_count = plan.arenas.segment_count,
                           .slope = plan.slope(),
                           .partials = at.writes_any<double>(plan.arenas.partials, 2 * kArenaParts),
                           .scalars = at.updates_any<Scalars>(plan.scalars)},
        kArenaParts);
  });
}

Launch norm_squares(const Plan& plan) {
  return typed("norm_squares", plan.type, plan.elements, [&]<class T>(Launcher& at) {
    return at.calls(NormSquares<T>{.gradients = plan.gradients<T>(at),
                                   .weights = plan.penalised_weights(at),
                                   .segments = plan.segments(at),
                                   .slope = plan.slope(),
                                   .norms = at.writes_any<double>(plan.arenas.norms, plan.norms()),
                                   .scalars = at.reads_any<Scalars>(plan.scalars)},
                    plan.norms());
  });
}

Launch norm_factors(const Plan& plan) {
  Launcher at("norm_factors");
  return at.calls(
      NormFactors{at.updates_any<double>(plan.arenas.norms, plan.norms()), plan.gradient.clip_norm},
      plan.arenas.segment_count);
}

Launch decide(const Plan& plan, const nn::OptimizerOptions& options,
              const nn::LossScaleOptions* loss_scale) {
  const double* const partials = plan.sums_squares() ? plan.arenas.partials : nullptr;
  Launcher at("update_decide");
  return nn::with_optimizer(options.kind, options.momentum, [&]<class Optimizer>() {
    return at.calls(
        Decide<Optimizer>{
            .partials = at.reads_any<double>(partials, plan.groups() * kArenaParts),
            .l2 = plan.gradient.l2,
            .clip_global_norm = plan.gradient.clip_global_norm,
            .optimizer = nn::update_options(options),
            .loss_scale = loss_scale != nullptr ? *loss_scale : nn::LossScaleOptions::keras(),
            .scales = loss_scale != nullptr,
            .scalars = at.updates_any<Scalars>(plan.scalars)},
        1);
  });
}

template <class T, class Optimizer, int... S>
Launch apply(Launcher& at, const Plan& plan, const nn::OptimizerOptions& options,
             std::integer_sequence<int, S...> /*states*/) {
  const UpdateArenas& arenas = plan.arenas;
  return at.chunks<T>(Update<T, typename Optimizer::Rule, S...>{
      .elements = plan.elements,
      .weights = at.updates_any<float>(arenas.weights, plan.elements),
      .working = at.writes_any<T>(arenas.working, plan.elements),
      .gradients = plan.gradients<T>(at),
      .states = {at.updates_any<float>(arenas.states[S], plan.elements)...},
      .masks = at.reads_any<float>(arenas.masks, plan.elements),
      .given = plan.gradient.l2 > 0 ? at.writes_any<float>(arenas.given, plan.elements) : nullptr,
      .rule = plan.rule(at, true),
      .fixed = nn::converted<float>(Optimizer::fixed(nn::update_options(options))),
      .scalars = at.reads_any<Scalars>(plan.scalars)});
}

Launch apply(const Plan& plan, const nn::OptimizerOptions& options) {
  return typed("update", plan.type, plan.elements, [&]<class T>(Launcher& at) {
    return nn::with_optimizer(options.kind, options.momentum, [&]<class Optimizer>() {
      return apply<T, Optimizer>(at, plan, options,
                                 std::make_integer_sequence<int, Optimizer::Rule::kStates>());
    });
  });
}

Launch take_average(const Plan& plan, double momentum) {
  const UpdateArenas& arenas = plan.arenas;
  Launcher at("take_average", Type::f32, plan.elements);
  return at.chunks<float>(
      TakeAverage{.elements = plan.elements,
                  .weights = at.reads_any<float>(arenas.weights, plan.elements),
                  .average = at.updates_any<float>(arenas.average, plan.elements),
                  .masks = at.reads_any<float>(arenas.masks, plan.elements),
                  .share = static_cast<float>(1 - momentum),
                  .scalars = at.reads_any<Scalars>(plan.scalars)});
}

template <class T>
Launch copy_as(Launcher at, const float* from, void* to, std::int64_t elements) {
  return at.chunks<T>(
      CopyAs<T>{elements, at.reads_any<float>(from, elements), at.writes_any<T>(to, elements)});
}

}  // namespace

std::vector<Launch> update(Type type, const UpdateArenas& arenas,
                           const nn::OptimizerOptions& optimizer,
                           const nn::GradientOptions& gradient,
                           const nn::LossScaleOptions* loss_scale, Scalars* scalars,
                           std::optional<double> average) {
  const Plan plan{type, arenas, gradient, scalars};
  check(plan);
  MILLRACE_CHECK(!average || arenas.average != nullptr, "no memory for averages");
  MILLRACE_CHECK(gradient.l2 == 0 || arenas.given != nullptr,
                 "L2 keeps the gradients that the optimizer was given: no memory for them");
  std::vector<Launch> launches;
  if (plan.sums_squares()) {
    launches.push_back(gradient_squares(plan));
    launches.push_back(fold(arenas.partials, kArenaParts, kArenaTotals, plan.groups()));
  } else if (loss_scale != nullptr) {
    launches.push_back(finite_check(plan));
  }
  if (gradient.clip_norm > 0) {
    launches.push_back(norm_squares(plan));
    launches.push_back(fold(arenas.norms, kNormParts, kNormTotals, arenas.segment_count));
    launches.push_back(norm_factors(plan));
  }
  launches.push_back(decide(plan, optimizer, loss_scale));
  launches.push_back(apply(plan, optimizer));
  if (average) launches.push_back(take_average(plan, *average));
  return launches;
}

std::vector<Launch> add_to_group(Type type, const UpdateArenas& arenas, const Scalars* scalars) {
  if (arenas.sums == nullptr) return {};
  return {typed("sum_gradients", type, arenas.elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(SumGradients<T>{
        arenas.elements, at.reads_any<T>(arenas.gradients, arenas.elements),
        at.updates_any<float>(arenas.sums, arenas.elements), at.reads_any<Scalars>(scalars)});
  })};
}

std::vector<Launch> end_group(Type type, const UpdateArenas& arenas, Scalars* scalars) {
  if (arenas.sums == nullptr) return {};
  Launcher end("end_group");
  return {typed("mean_gradients", type, arenas.elements,
                [&]<class T>(Launcher& at) {
                  return at.chunks<T>(MeanGradients<T>{
                      arenas.elements, at.reads_any<float>(arenas.sums, arenas.elements),
                      at.writes_any<T>(arenas.gradients, arenas.elements),
                      at.reads_any<Scalars>(scalars)});
                }),
          end.calls(EndGroup{end.updates_any<Scalars>(scalars)}, 1)};
}

std::vector<Launch> penalty(const UpdateArenas& arenas, const nn::GradientOptions& gradient,
                            Scalars* scalars) {
  if (gradient.l2 == 0) return {};
  const Plan plan{Type::f32, arenas, gradient, scalars};
  check(plan);
  Launcher squares("weight_squares"), at("penalty");
  return {squares.calls(WeightSquares{squares.reads_any<float>(arenas.weights, arenas.elements),
                                      arenas.elements, plan.segments(squares), arenas.segment_count,
                                      squares.writes_any<double>(arenas.partials, kArenaParts)},
                        kArenaParts),
          fold(arenas.partials, kArenaParts, kArenaTotals, 1),
          at.calls(Penalty{at.reads_any<double>(arenas.partials, kArenaParts), gradient.l2,
                           at.writes_any<Scalars>(scalars)},
                   1)};
}

Launch read_gradients(Type type, const UpdateArenas& arenas, const nn::GradientOptions& gradient,
                      bool after_update, float* seen, const Scalars* scalars) {
  const Plan plan{type, arenas, gradient, nullptr};
  if (after_update && gradient.l2 > 0) {
    return copy_as<float>(Launcher("copy_floats", type, arenas.elements), arenas.given, seen,
                          arenas.elements);
  }
  return typed("read_gradients", type, arenas.elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(
        ReadGradients<T>{.elements = arenas.elements,
                         .gradients = plan.gradients<T>(at),
                         .weights = at.reads_any<float>(arenas.weights, arenas.elements),
                         .rule = plan.rule(at, after_update),
                         .clips = after_update,
                         .seen = at.writes_any<float>(seen, arenas.elements),
                         .scalars = at.reads_any<Scalars>(scalars)});
  });
}

Launch refresh_working(Type type, const float* weights, void* working, std::int64_t elements) {
  return typed("refresh_working", type, elements,
               [&]<class T>(Launcher& at) { return copy_as<T>(at, weights, working, elements); });
}

Launch swap_average(Type type, const UpdateArenas& arenas) {
  const std::int64_t elements = arenas.elements;
  return typed("swap_average", type, elements, [&]<class T>(Launcher& at) {
    return at.chunks<T>(SwapAverage<T>{elements, at.updates_any<float>(arenas.weights, elements),
                                       at.updates_any<float>(arenas.average, elements),
                                       at.writes_any<T>(arenas.working, elements)});
  });
}

}  // namespace millrace::gpu
