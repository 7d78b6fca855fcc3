#pragma once
// The numbers of a step, which are copied for the kernels before it.

#include <millrace/gpu/launch.h>
#include <millrace/gpu/scalars.h>

#include <cstdint>
#include <span>
#include <vector>

namespace millrace::gpu {

/// Sets what a step is about. Arguments travel with the launch; or they lie on the device, so that
/// the launch stays the same.
[[nodiscard]] Launch begin_step(Scalars* scalars, const StepNumbers& step);
[[nodiscard]] Launch begin_step(Scalars* scalars, const StepNumbers* step);
/// Puts a series of steps there, each of first.samples samples, the last of what is left of
/// `samples`. There is a learning rate for each update, which every `group` steps have one of; t
/// counts updates from that of the first. Arguments travel with the launches, one for so many
/// steps.
inline constexpr int kRatesOfLaunch = 16;
[[nodiscard]] std::vector<Launch> keep_steps(StepNumbers* steps, StepNumbers first,
                                             std::int64_t samples,
                                             std::span<const double> learning_rates,
                                             std::int64_t group = 1);

}  // namespace millrace::gpu
