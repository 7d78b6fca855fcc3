#pragma once
// One run of a pipeline: builds the flow graph from the stages written down, feeds it, waits.

#include <millrace/pipeline/detail/control.h>
#include <millrace/pipeline/detail/spec.h>
#include <millrace/pipeline/detail/trace.h>
#include <millrace/pipeline/report.h>
#include <millrace/pipeline/stage_watch.h>
#include <millrace/pipeline/stall_watch.h>

#include <stop_token>
#include <vector>

namespace millrace::detail {

/// Runs the stages on `threads` oneTBB workers, the caller included, until nothing is under way.
/// Errors of stages are left in `control`. `watch` may be null. Requires: the pools are allocated.
[[nodiscard]] Report run_stages(const std::vector<StageSpec>& stages, int threads,
                                RunControl& control, Trace& trace, StageWatch* watch,
                                const StallWatch& stall);

}  // namespace millrace::detail
