#include <millrace/gpu/parameters.h>

#include <millrace/core/buffer.h>

#include <algorithm>
#include <utility>

namespace millrace::gpu {
namespace {

std::int64_t rounded(std::int64_t n, std::uint64_t alignment) {
  return static_cast<std::int64_t>(round_up(static_cast<std::uint64_t>(n), alignment));
}

}  // namespace

std::int64_t padded(std::int64_t channels, nn::Precision precision) noexcept {
  return rounded(channels, 16 / size_of(nn::storage_of(precision)));
}

ParameterPlaces::ParameterPlaces(std::vector<nn::Parameter> parameters, nn::Precision precision)
    : parameters_(std::move(parameters)) {
  constexpr std::uint64_t kAlignment = 16;
  for (const nn::Parameter& p : parameters_) {
    Place place{.offset = elements_, .rows = 1, .stored = padded(p.shape[0], precision)};
    if (p.shape.rank() > 1) {
      const std::int64_t window = p.shape.rank() == 4 ? p.shape[2] * p.shape[3] : 1;
      place.rows = padded(p.shape[0], precision) * window;
      place.stored = p.groups > 1 ? p.shape[1] : padded(p.shape[1], precision);
    }
    elements_ += rounded(place.count(), kAlignment);
    if (p.trainable) trainable_elements_ = elements_;
    longest_row_ = std::max(longest_row_, place.stored);
    places_.push_back(place);
  }
}

const ParameterPlaces::Place& ParameterPlaces::place(int parameter) const {
  return places_.at(static_cast<std::size_t>(parameter));
}

std::int64_t ParameterPlaces::outside_elements(bool trainable_only) const {
  return trainable_only ? nn::trainable_elements(parameters_) : nn::arena_elements(parameters_);
}

ParameterPlaces::Row ParameterPlaces::row(int parameter, std::int64_t index) const {
  const nn::Parameter& p = parameters_[static_cast<std::size_t>(parameter)];
  const Shape& shape = p.shape;
  if (shape.rank() == 1) return {.first = p.offset, .count = shape[0]};
  const std::int64_t window = shape.rank() == 4 ? shape[2] * shape[3] : 1;
  const std::int64_t filter = index / window;
  return {.first = p.offset + filter * shape[1] * window + index % window,
          .stride = window,
          .count = filter < shape[0] ? shape[1] : 0};
}

void ParameterPlaces::to_outside(int parameter, std::int64_t first_row, std::int64_t count,
                                 std::span<const float> physical, std::span<float> values) const {
  const std::int64_t stored = place(parameter).stored;
  for (std::int64_t r = 0; r < count; ++r) {
    const Row to = row(parameter, first_row + r);
    const float* const from = physical.data() + r * stored;
    for (std::int64_t i = 0; i < to.count; ++i) {
      values[static_cast<std::size_t>(to.first + i * to.stride)] = from[i];
    }
  }
}

void ParameterPlaces::from_outside(int parameter, std::int64_t first_row, std::int64_t count,
                                   std::span<const float> values, std::span<float> physical) const {
  const std::int64_t stored = place(parameter).stored;
  for (std::int64_t r = 0; r < count; ++r) {
    const Row from = row(parameter, first_row + r);
    float* const to = physical.data() + r * stored;
    for (std::int64_t i = 0; i < from.count; ++i) {
      to[i] = values[static_cast<std::size_t>(from.first + i * from.stride)];
    }
    std::fill(to + from.count, to + stored, 0.0F);
  }
}

}  // namespace millrace::gpu
