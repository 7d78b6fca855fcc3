#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/step.h>

#include <millrace/core/error.h>

#include <algorithm>

namespace millrace::gpu {

Launch begin_step(Scalars* scalars, const StepNumbers& step) {
  return launch_of("begin_step", BeginStep{step, scalars}, 1)
      .reads(scalars, sizeof(Scalars))
      .writes(scalars, sizeof(Scalars));
}

Launch begin_step(Scalars* scalars, const StepNumbers* step) {
  return launch_of("begin_kept_step", BeginKeptStep{step, scalars}, 1)
      .reads(step, sizeof(StepNumbers))
      .reads(scalars, sizeof(Scalars))
      .writes(scalars, sizeof(Scalars));
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
    KeepSteps keep{steps + done, first, samples - done * first.samples, {}};
    keep.first.t += done;
    std::copy_n(learning_rates.begin() + done, now, keep.learning_rates);
    launches.push_back(
        launch_of("keep_steps", keep, now)
            .writes(keep.steps, static_cast<std::size_t>(now) * sizeof(StepNumbers)));
  }
  return launches;
}

}  // namespace millrace::gpu
