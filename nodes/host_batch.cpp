#include <millrace/nodes/host_batch.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

std::size_t sample_bytes(const Shape& sample, DType type) {
  return static_cast<std::size_t>(sample.elements()) * size_of(type);
}

}  // namespace

HostBatch::HostBatch(Shape sample_shape, DType type, std::int64_t rows, Buffer memory,
                     std::int64_t width_of_targets)
    : sample(sample_shape), dtype(type), pixels(std::move(memory)), target_width(width_of_targets) {
  const auto n = static_cast<std::size_t>(rows);
  MILLRACE_CHECK(pixels.size() >= n * sample_bytes(sample, dtype), "a batch of ", n, " samples of ",
                 to_string(sample), " needs more than ", pixels.size(), " bytes");
  index.resize(n);
  labels.resize(n);
  targets.resize(n * static_cast<std::size_t>(target_width));
  weights.resize(n, 1.0F);
  valid.resize(n, kNotStamped);
  passes.resize(n);
  positions.resize(n);
}

void HostBatch::recycle() noexcept {
  std::fill(valid.begin(), valid.end(), kNotStamped);
  size = 0;
  holes = 0;
  tag = {};
}

TensorView HostBatch::row(std::int64_t i) {
  MILLRACE_CHECK(i >= 0 && i < capacity(), "row ", i, " of a batch of ", capacity());
  const std::size_t offset = static_cast<std::size_t>(i) * sample_bytes(sample, dtype);
  return {pixels.data() + offset, sample, dtype};
}

ConstTensorView HostBatch::rows() const {
  return {pixels.data(), sample.with_front(size), dtype};
}

void HostBatch::move_stamps(std::int64_t source, std::int64_t target_row) {
  const auto from = static_cast<std::size_t>(source), to = static_cast<std::size_t>(target_row);
  index[to] = index[from];
  labels[to] = labels[from];
  const std::span<const float> known = target(source);
  std::copy(known.begin(), known.end(), target(target_row).begin());
  weights[to] = weights[from];
  valid[to] = valid[from];
  passes[to] = passes[from];
  positions[to] = positions[from];
}

std::span<float> HostBatch::target(std::int64_t i) {
  MILLRACE_CHECK(i >= 0 && i < capacity(), "row ", i, " of a batch of ", capacity());
  const auto width = static_cast<std::size_t>(target_width);
  return std::span(targets).subspan(static_cast<std::size_t>(i) * width, width);
}

HostBatch HostBatchFactory::operator()() const {
  const std::size_t size = static_cast<std::size_t>(capacity) * sample_bytes(sample, dtype);
  return HostBatch(sample, dtype, capacity, allocate(Bytes{size}), target_width);
}

Bytes HostBatchFactory::bytes() const {
  constexpr std::size_t kBesidePixels = sizeof(std::uint32_t) * 2 + sizeof(std::int32_t) +
                                        sizeof(float) + sizeof(std::uint8_t) +
                                        sizeof(std::uint64_t);
  const std::size_t target = static_cast<std::size_t>(target_width) * sizeof(float);
  return {static_cast<std::uint64_t>(capacity) *
          (sample_bytes(sample, dtype) + kBesidePixels + target)};
}

}  // namespace millrace
