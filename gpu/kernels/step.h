#pragma once
// What a step is about, for host and device: it is told to the kernels before the step.

#include <millrace/core/host_device.h>
#include <millrace/gpu/kernels.h>

#include <cstdint>

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

}  // namespace millrace::gpu
