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
  std::int64_t rest;  ///< samples of this step and all behind it
  double learning_rates[kRatesOfLaunch];

  MILLRACE_HOST_DEVICE void operator()(std::int64_t i) const {
    StepNumbers step = first;
    const std::int64_t left = rest - i * first.samples;
    step.learning_rate = learning_rates[i];
    step.t += i;
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
                               std::span<const double> learning_rates) {
  const auto count = static_cast<std::int64_t>(learning_rates.size());
  MILLRACE_CHECK(first.samples > 0 && samples > (count - 1) * first.samples &&
                     samples <= count * first.samples,
                 samples, " samples are not ", count, " steps of ", first.samples);
  std::vector<Launch> launches;
  for (std::int64_t done = 0; done < count; done += kRatesOfLaunch) {
    const std::int64_t now = std::min<std::int64_t>(kRatesOfLaunch, count - done);
    Launcher at("keep_steps");
    KeepSteps keep{
        at.writes_any<StepNumbers>(steps + done, now), first, samples - done * first.samples, {}};
    keep.first.t += done;
    std::copy_n(learning_rates.begin() + done, now, keep.learning_rates);
    launches.push_back(at.calls(keep, now));
  }
  return launches;
}

}  // namespace millrace::gpu
