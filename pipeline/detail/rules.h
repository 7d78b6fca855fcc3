#pragma once
// What a graph of stages must look like. Checked when a stage is added, so that the mistake is
// named where it was made.

#include <millrace/pipeline/detail/spec.h>

#include <string>
#include <vector>

namespace millrace::detail {

/// How often the outputs of each stage are read.
[[nodiscard]] std::vector<int> count_consumers(const std::vector<StageSpec>& stages);

/// Throws UsageError unless the last of the stages may be there, and all of them beside it.
void check_added(const std::vector<StageSpec>& stages, const std::string& pipeline);

/// Throws UsageError if a stage has run and cannot run again.
void check_runs(const std::vector<StageSpec>& stages);
/// Throws UsageError if a stage is a range that no loop reads.
void check_loops(const std::vector<StageSpec>& stages, const std::string& pipeline);

}  // namespace millrace::detail
