#pragma once
// Launches of the sums of column_sums.h, for .cu files.

#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/column_sums.h>
#include <millrace/gpu/kernels/team.h>

#include <algorithm>

#ifdef __CUDACC__

namespace millrace::gpu {

/// The least power of two that holds the chunks of a row, at most kTeamChunks.
inline std::int32_t team_width(std::int64_t chunks) {
  std::int32_t width = 1;
  while (width < kTeamChunks && width < chunks) width *= 2;
  return width;
}

template <class Rule>
Launch part_sums(const char* name, const Rule& rule, const Plane& plane, float* partials) {
  const std::int64_t chunks = plane.stored / Rule::kLanes;
  const std::int64_t parts = sum_parts(plane.rows);
  const std::int32_t width = team_width(chunks);
  return launch_of_teams(name,
                         PartSums<Rule>{.rule = rule,
                                        .parts = parts,
                                        .rows_of_part = (plane.rows + parts - 1) / parts,
                                        .stored = plane.stored,
                                        .partials = partials,
                                        .width = width},
                         parts * ((chunks + width - 1) / width))
      .writes(partials,
              static_cast<std::size_t>(Rule::kSums * parts * plane.stored) * sizeof(float));
}

template <class Rule>
Launch total_sums(const char* name, const Rule& rule, const Plane& plane, const float* partials) {
  const std::int64_t chunks = plane.stored / Rule::kLanes;
  const std::int64_t parts = sum_parts(plane.rows);
  const std::int32_t width = team_width(chunks);
  return launch_of_teams(name,
                         TotalSums<Rule>{.rule = rule,
                                         .partials = partials,
                                         .parts = parts,
                                         .stored = plane.stored,
                                         .width = width},
                         (chunks + width - 1) / width)
      .reads(partials,
             static_cast<std::size_t>(Rule::kSums * parts * plane.stored) * sizeof(float));
}

}  // namespace millrace::gpu

#endif  // __CUDACC__
