#pragma once
// The arenas of the update's kernels, from an executor's memory.

#include <millrace/gpu/parameters.h>
#include <millrace/gpu/program.h>

#include <cstdint>

namespace millrace::gpu {

struct UpdateSize {
  std::int64_t elements = 0, segments = 0;  ///< trainable
};
[[nodiscard]] inline UpdateSize update_size(const ParameterPlaces& parameters) {
  UpdateSize size{.elements = parameters.trainable_elements()};
  for (const nn::Parameter& p : parameters.parameters()) size.segments += p.trainable ? 1 : 0;
  return size;
}

[[nodiscard]] inline UpdateArenas update_arenas(const Arenas& arenas, const UpdateSize& size) {
  const bool has_copies = arenas.working != reinterpret_cast<std::byte*>(arenas.masters);
  return {.elements = size.elements,
          .weights = arenas.masters,
          .working = has_copies ? arenas.working : nullptr,
          .gradients = arenas.gradients,
          .sums = arenas.sums,
          .states = arenas.states,
          .masks = arenas.masks,
          .average = arenas.average,
          .given = arenas.given,
          .segments = arenas.segments,
          .segment_count = size.segments,
          .partials = arenas.partials,
          .norms = arenas.norms};
}

}  // namespace millrace::gpu
