#include <millrace/gpu/update_arenas.h>

namespace millrace::gpu {

std::vector<Segment> segments_of(const ParameterPlaces& parameters,
                                 const nn::GradientOptions& gradient) {
  std::vector<Segment> segments;
  for (std::size_t p = 0; p < parameters.parameters().size(); ++p) {
    const nn::Parameter& parameter = parameters.parameters()[p];
    if (!parameter.trainable) continue;
    const auto& place = parameters.place(static_cast<int>(p));
    const bool is_penalised = gradient.l2 > 0 && parameter.role == nn::Role::kernel;
    segments.push_back({place.offset, place.count(), is_penalised ? 1U : 0U});
  }
  return segments;
}

}  // namespace millrace::gpu
