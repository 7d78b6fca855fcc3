#pragma once
// The learning rate over a run, once its steps are known.

#include <millrace/training/train_spec.h>

#include <cstdint>
#include <string>

namespace millrace {

/// Fills in the steps of the schedule: all that follow the warm-up. Throws UsageError if the
/// schedule would end before it begins, or is over before it changes anything.
void choose_schedule(TrainSpec& spec, std::uint64_t run_steps);

/// ", cosine over 9,380 steps, L2 0.0001": what is not as it would be without options.
[[nodiscard]] std::string describe_schedule(const TrainSpec& spec);

}  // namespace millrace
