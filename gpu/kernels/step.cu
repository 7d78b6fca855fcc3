#include <millrace/gpu/kernels/step.h>

#include <millrace/gpu/kernels/kernel.h>

#include <algorithm>

namespace millrace::gpu {

MILLRACE_HOST_DEVICE inline void begin(const StepNumbers& step, Scalars* scalars) {
  scalars->learning_rate = step.learning_rate;
  scalars->t = step.t;
  scalars->samples = step.samples;
  scalars->pass = step.pass;
  scalars->is_masked = step.is_masked;
  scalars->unscale = static_cast<float>(1 / scalars->loss_scale.scale);
  scalars->found_infinite = 0;
  scalars->in_group = step.membership == Membership::none ? 0 : 1;
  if (scalars->in_group == 0) return;
  if (step.membership == Membership::first) {
    scalars->together = 0;
    scalars->of_group = {};
  }
  scalars->before = scalars->together;
  scalars->together += step.samples;
}

struct BeginStep {
  StepNumbers step;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const { begin(step, scalars); }
};

struct BeginKeptStep {
  const StepNumbers* step;
  Scalars* scalars;

  MILLRACE_HOST_DEVICE void operator()(std::int64_t) const { begin(*step, scalars); }
};

/// A step a call.
struct KeepSteps {
  StepNumbers* steps;
  StepNumbers first;
  std::int64_t rest;   ///< samples of this step and all behind it
  std::int32_t group;  ///< steps of an update
  std::int32_t done;   ///< steps before the first of this launch
  double learning_rates[kRatesOfLaunch];

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    StepNumbers step = first;
    const std::int64_t left = rest - i * first.samples;
    step.learning_rate = learning_rates[i];
    step.t += (done + i) / group;
    if (group > 1) {
      step.membership = (done + i) % group == 0 ? Membership::first : Membership::later;
    }
    step.samples = left < first.samples ? left : first.samples;
    steps[i] = step;
  }
};

Launch begin_step(Scalars* scalars, const StepNumbers& step) {
  Launcher at("begin_step");
  return at.calls(BeginStep{step, at.updates_any<Scalars>(scalars)}, 1);
}

Launch begin_step(Scalars* scalars, const StepNumbers* step) {
  Launcher at("begin_kept_step");
  return at.calls(BeginKeptStep{at.reads_any<StepNumbers>(step), at.updates_any<Scalars>(scalars)},
                  1);
}

std::vector<Launch> keep_steps(StepNumbers* steps, StepNumbers first, std::int64_t samples,
                               std::span<const double> learning_rates, std::int64_t group) {
  MILLRACE_CHECK(first.samples > 0 && group > 0, "steps of at least one sample");
  const std::int64_t count = (samples + first.samples - 1) / first.samples;
  MILLRACE_CHECK(static_cast<std::int64_t>(learning_rates.size()) == (count + group - 1) / group,
                 samples, " samples in steps of ", first.samples, ", ", group,
                 " an update, are not ", learning_rates.size(), " updates");
  std::vector<Launch> launches;
  for (std::int64_t done = 0; done < count; done += kRatesOfLaunch) {
    const std::int64_t now = std::min<std::int64_t>(kRatesOfLaunch, count - done);
    Launcher at("keep_steps");
    KeepSteps keep{.steps = at.writes_any<StepNumbers>(steps + done, now),
                   .first = first,
                   .rest = samples - done * first.samples,
                   .group = static_cast<std::int32_t>(group),
                   .done = static_cast<std::int32_t>(done),
                   .learning_rates = {}};
    for (std::int64_t i = 0; i < now; ++i) {
      keep.learning_rates[i] = learning_rates[static_cast<std::size_t>((done + i) / group)];
    }
    launches.push_back(at.calls(keep, now));
  }
  return launches;
}

}  // namespace millrace::gpu
