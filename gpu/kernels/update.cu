#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/update.h>

#include <millrace/core/error.h>

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

  [[nodiscard]] bool sums_squares() const {
    return gradient.l2 > 0 || gradient.clip_global_norm > 0;
  }
  [[nodiscard]] float slope() const { return static_cast<float>(2 * gradient.l2); }
  /// Null without L2, when nothing is penalised.
  [[nodiscard]] const Segment* penalised() const {
    return gradient.l2 > 0 ? arenas.segments : nullptr;
  }
  [[nodiscard]] GradientRule rule(bool clips) const {
    const bool has_norms = clips && gradient.clip_norm > 0;
    return {.segments = has_norms ? arenas.segments : penalised(),
            .segment_count = arenas.segment_count,
            .norms = has_norms ? arenas.norms : nullptr,
            .slope = slope(),
            .clip_value = clips ? static_cast<float>(gradient.clip_value) : 0.0F};
  }

  [[nodiscard]] std::size_t elements() const { return static_cast<std::size_t>(arenas.elements); }
  [[nodiscard]] std::size_t floats() const { return elements() * sizeof(float); }
  [[nodiscard]] std::size_t stored() const { return elements() * size_of(type); }
  [[nodiscard]] std::size_t segment_bytes() const {
    return static_cast<std::size_t>(arenas.segment_count) * sizeof(Segment);
  }
  [[nodiscard]] std::size_t norm_bytes() const {
    return static_cast<std::size_t>(arenas.segment_count * kNormParts) * sizeof(double);
  }
};

constexpr std::size_t kPartialBytes = kArenaParts * sizeof(double);

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
  const std::size_t bytes = static_cast<std::size_t>(groups * parts) * sizeof(double);
  return launch_of("fold_sums", Fold{values, parts, totals}, groups * totals)
      .reads(values, bytes)
      .writes(values, bytes);
}

Launch finite_check(const Plan& plan) {
  const UpdateArenas& arenas = plan.arenas;
  return with_type(plan.type,
                   [&]<class T>() {
                     return launch_of("finite_check",
                                      FiniteCheck<T>{static_cast<const T*>(arenas.gradients),
                                                     arenas.elements, plan.scalars},
                                      chunks_of(arenas.elements, kChunk<T>));
                   })
      .reads(arenas.gradients, plan.stored())
      .writes(plan.scalars, sizeof(Scalars));
}

Launch gradient_squares(const Plan& plan) {
  const UpdateArenas& arenas = plan.arenas;
  const float* const weights = plan.gradient.l2 > 0 ? arenas.weights : nullptr;
  return with_type(plan.type,
                   [&]<class T>() {
                     return launch_of(
                         "gradient_squares",
                         GradientSquares<T>{.gradients = static_cast<const T*>(arenas.gradients),
                                            .weights = weights,
                                            .elements = arenas.elements,
                                            .segments = plan.penalised(),
                                            .segment_count = arenas.segment_count,
                                            .slope = plan.slope(),
                                            .partials = arenas.partials,
                                            .scalars = plan.scalars},
                         kArenaParts);
                   })
      .reads(arenas.gradients, plan.stored())
      .reads(weights, plan.floats())
      .reads(plan.penalised(), plan.segment_bytes())
      .reads(plan.scalars, sizeof(Scalars))
      .writes(arenas.partials, 2 * kPartialBytes)
      .writes(plan.scalars, sizeof(Scalars));
}

Launch norm_squares(const Plan& plan) {
  const UpdateArenas& arenas = plan.arenas;
  const float* const weights = plan.gradient.l2 > 0 ? arenas.weights : nullptr;
  return with_type(plan.type,
                   [&]<class T>() {
                     return launch_of(
                         "norm_squares",
                         NormSquares<T>{.gradients = static_cast<const T*>(arenas.gradients),
                                        .weights = weights,
                                        .segments = arenas.segments,
                                        .slope = plan.slope(),
                                        .norms = arenas.norms,
                                        .scalars = plan.scalars},
                         arenas.segment_count * kNormParts);
                   })
      .reads(arenas.gradients, plan.stored())
      .reads(weights, plan.floats())
      .reads(arenas.segments, plan.segment_bytes())
      .reads(plan.scalars, sizeof(Scalars))
      .writes(arenas.norms, plan.norm_bytes());
}

Launch norm_factors(const Plan& plan) {
  const UpdateArenas& arenas = plan.arenas;
  return launch_of("norm_factors", NormFactors{arenas.norms, plan.gradient.clip_norm},
                   arenas.segment_count)
      .reads(arenas.norms, plan.norm_bytes())
      .writes(arenas.norms, plan.norm_bytes());
}

Launch decide(const Plan& plan, const nn::OptimizerOptions& options,
              const nn::LossScaleOptions* loss_scale) {
  const double* const partials = plan.sums_squares() ? plan.arenas.partials : nullptr;
  const int groups = plan.gradient.clip_global_norm > 0 ? 2 : 1;
  return nn::with_optimizer(options.kind, options.momentum,
                            [&]<class Optimizer>() {
                              const Decide<Optimizer> decide{
                                  .partials = partials,
                                  .l2 = plan.gradient.l2,
                                  .clip_global_norm = plan.gradient.clip_global_norm,
                                  .optimizer = nn::update_options(options),
                                  .loss_scale = loss_scale != nullptr
                                                    ? *loss_scale
                                                    : nn::LossScaleOptions::keras(),
                                  .scales = loss_scale != nullptr,
                                  .scalars = plan.scalars};
                              return launch_of("update_decide", decide, 1);
                            })
      .reads(partials, static_cast<std::size_t>(groups) * kPartialBytes)
      .reads(plan.scalars, sizeof(Scalars))
      .writes(plan.scalars, sizeof(Scalars));
}

template <class T, class Optimizer, int... S>
Launch apply(const Plan& plan, const nn::OptimizerOptions& options, const GradientRule& rule,
             std::integer_sequence<int, S...> /*states*/) {
  const UpdateArenas& arenas = plan.arenas;
  const Update<T, typename Optimizer::Rule, S...> update{
      .elements = arenas.elements,
      .weights = arenas.weights,
      .working = static_cast<T*>(arenas.working),
      .gradients = static_cast<const T*>(arenas.gradients),
      .states = {arenas.states[S]...},
      .masks = arenas.masks,
      .given = plan.gradient.l2 > 0 ? arenas.given : nullptr,
      .rule = rule,
      .fixed = nn::converted<float>(Optimizer::fixed(nn::update_options(options))),
      .scalars = plan.scalars};
  Launch launch = launch_of("update", update, chunks_of(arenas.elements, kChunk<T>));
  (launch.reads(arenas.states[S], plan.floats()).writes(arenas.states[S], plan.floats()), ...);
  return launch;
}

Launch apply(const Plan& plan, const nn::OptimizerOptions& options) {
  const UpdateArenas& arenas = plan.arenas;
  const GradientRule rule = plan.rule(true);
  const auto with_storage = [&]<class T>() {
    return nn::with_optimizer(options.kind, options.momentum, [&]<class Optimizer>() {
      return apply<T, Optimizer>(plan, options, rule,
                                 std::make_integer_sequence<int, Optimizer::Rule::kStates>());
    });
  };
  return with_type(plan.type, with_storage)
      .reads(arenas.weights, plan.floats())
      .reads(arenas.gradients, plan.stored())
      .reads(arenas.masks, plan.floats())
      .reads(rule.segments, plan.segment_bytes())
      .reads(rule.norms, plan.norm_bytes())
      .reads(plan.scalars, sizeof(Scalars))
      .writes(arenas.weights, plan.floats())
      .writes(arenas.working, plan.stored())
      .writes(plan.gradient.l2 > 0 ? arenas.given : nullptr, plan.floats());
}

}  // namespace

std::int64_t arena_parts() noexcept {
  return kArenaParts;
}
std::int64_t norm_parts() noexcept {
  return kNormParts;
}

std::vector<Launch> update(Type type, const UpdateArenas& arenas,
                           const nn::OptimizerOptions& optimizer,
                           const nn::GradientOptions& gradient,
                           const nn::LossScaleOptions* loss_scale, Scalars* scalars) {
  const Plan plan{type, arenas, gradient, scalars};
  check(plan);
  MILLRACE_CHECK(gradient.l2 == 0 || arenas.given != nullptr,
                 "L2 keeps the gradients that the optimizer was given: no memory for them");
  std::vector<Launch> launches;
  if (plan.sums_squares()) {
    const int groups = gradient.clip_global_norm > 0 ? 2 : 1;
    launches.push_back(gradient_squares(plan));
    launches.push_back(fold(arenas.partials, kArenaParts, kArenaTotals, groups));
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
  return launches;
}

std::vector<Launch> penalty(const UpdateArenas& arenas, const nn::GradientOptions& gradient,
                            Scalars* scalars) {
  if (gradient.l2 == 0) return {};
  const Plan plan{Type::f32, arenas, gradient, scalars};
  check(plan);
  const WeightSquares squares{arenas.weights, arenas.elements, arenas.segments,
                              arenas.segment_count, arenas.partials};
  return {launch_of("weight_squares", squares, kArenaParts)
              .reads(arenas.weights, plan.floats())
              .reads(arenas.segments, plan.segment_bytes())
              .writes(arenas.partials, kPartialBytes),
          fold(arenas.partials, kArenaParts, kArenaTotals, 1),
          launch_of("penalty", Penalty{arenas.partials, gradient.l2, scalars}, 1)
              .reads(arenas.partials, kPartialBytes)
              .writes(scalars, sizeof(Scalars))};
}

Launch read_gradients(Type type, const UpdateArenas& arenas, const nn::GradientOptions& gradient,
                      bool after_update, float* seen, const Scalars* scalars) {
  const Plan plan{type, arenas, gradient, nullptr};
  if (after_update && gradient.l2 > 0) {
    return launch_of("copy_floats", CopyAs<float>{arenas.elements, arenas.given, seen},
                     chunks_of(arenas.elements, kChunk<float>))
        .reads(arenas.given, plan.floats())
        .writes(seen, plan.floats());
  }
  const GradientRule rule = plan.rule(after_update);
  return with_type(
             type,
             [&]<class T>() {
               const ReadGradients<T> read{.elements = arenas.elements,
                                           .gradients = static_cast<const T*>(arenas.gradients),
                                           .weights = arenas.weights,
                                           .rule = rule,
                                           .clips = after_update,
                                           .seen = seen,
                                           .scalars = scalars};
               return launch_of("read_gradients", read, chunks_of(arenas.elements, kChunk<T>));
             })
      .reads(arenas.gradients, plan.stored())
      .reads(arenas.weights, plan.floats())
      .reads(rule.segments, plan.segment_bytes())
      .reads(rule.norms, plan.norm_bytes())
      .reads(scalars, sizeof(Scalars))
      .writes(seen, plan.floats());
}

Launch refresh_working(Type type, const float* weights, void* working, std::int64_t elements) {
  return with_type(type,
                   [&]<class T>() {
                     return launch_of("refresh_working",
                                      CopyAs<T>{elements, weights, static_cast<T*>(working)},
                                      chunks_of(elements, kChunk<T>));
                   })
      .reads(weights, static_cast<std::size_t>(elements) * sizeof(float))
      .writes(working, static_cast<std::size_t>(elements) * size_of(type));
}

}  // namespace millrace::gpu
