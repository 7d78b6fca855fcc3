#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/kernel.h>
#include <millrace/gpu/kernels/step.h>

#include <millrace/core/error.h>

#include <algorithm>

namespace millrace::gpu {

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
