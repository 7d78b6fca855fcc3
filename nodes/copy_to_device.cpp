#include <millrace/nodes/copy_to_device.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace millrace {

namespace {

/// All but the pixels lies in the device batch, which is kept as long.
nn::HostSamples samples_of(const HostBatch& host, const DeviceBatch& batch) {
  const auto n = static_cast<std::size_t>(batch.size);
  nn::HostSamples samples;
  samples.pixels = host.pixels.data();
  if (samples.pixels == nullptr) samples.rows = std::span(host.index).first(n);
  if (batch.target_width > 0)
    samples.targets =
        batch.labels.as<float>().first(n * static_cast<std::size_t>(batch.target_width));
  else
    samples.labels = batch.labels.as<std::int32_t>().first(n);
  if (!batch.moves.empty()) samples.moves = std::span(batch.moves).first(n);
  samples.weights = batch.view().weights;
  samples.positions = std::span(batch.positions).first(n);
  samples.pass = batch.pass;
  samples.samples = batch.size;
  return samples;
}

/// Where nothing leaves them out, one of them would make all weights no numbers.
void check_known(std::span<const float> targets) {
  if (std::none_of(targets.begin(), targets.end(), [](float y) { return std::isnan(y); })) return;
  throw Error(
      "a target is NaN, which says that it is unknown; set DeviceBatchFactory::weighs_outputs, so "
      "that it is left out of the loss");
}

/// Of samples, or of their outputs: those of a sample, and 0 where a target is unknown.
void copy_weights(const HostBatch& host, DeviceBatch& device) {
  const auto n = static_cast<std::size_t>(host.size);
  const std::size_t width =
      device.weighs_outputs ? static_cast<std::size_t>(device.target_width) : 1;
  for (std::size_t i = 0; i < n * width; ++i) {
    const bool is_unknown = device.weighs_outputs && std::isnan(host.targets[i]);
    device.weights[i] = is_unknown ? 0.0F : host.weights[i / width];
  }
}

}  // namespace

CopyToDevice::CopyToDevice(std::shared_ptr<const nn::Engine> engine) : engine_(std::move(engine)) {}

CopyToDevice& CopyToDevice::move_as(const AugmentOptions& options, std::uint64_t seed) {
  check(options);
  if (options.crop_padding > std::numeric_limits<std::int16_t>::max()) {
    throw UsageError(concat("crop-padding on a device must be at most ",
                            std::numeric_limits<std::int16_t>::max(), ", not ",
                            options.crop_padding));
  }
  if (!only_moves(options)) {
    throw UsageError("images on a device can be cropped and flipped, and changed in no other way");
  }
  moves_ = options;
  seed_ = seed;
  return *this;
}

void CopyToDevice::draw_moves(const HostBatch& host, DeviceBatch& batch) const {
  const bool stays = host.tag.phase != Phase::training || moves_.is_identity();
  const auto height = static_cast<int>(host.sample[0]), width = static_cast<int>(host.sample[1]);
  for (std::size_t i = 0; i < static_cast<std::size_t>(host.size); ++i) {
    nn::Move& move = batch.moves[i] = {};
    if (stays) continue;
    const RandomKey key{seed_, host.passes[i], host.positions[i]};
    const CropOrigin origin = draw_crop(moves_, height, width, key);
    const Flips flips = draw_transform(moves_, height, width, key).flips;
    move = {.top = static_cast<std::int16_t>(origin.top),
            .left = static_cast<std::int16_t>(origin.left),
            .mirrors_columns = flips.horizontal,
            .mirrors_rows = flips.vertical,
            .fill = moves_.fill};
  }
}

Pending<Lease<DeviceBatch>> CopyToDevice::operator()(
    const With<Lease<HostBatch>, DeviceBatch>& batch) const {
  const HostBatch& host = *batch.item;
  DeviceBatch& device = *batch.slot;
  if (host.size == 0 && host.holes == 0) {
    throw Error("a batch without samples: its source did not set HostBatch::size");
  }
  MILLRACE_CHECK((device.device == nullptr) == engine_->shares_host_memory(),
                 "the device batches are of another engine than ", engine_->description());
  MILLRACE_CHECK(host.size <= static_cast<std::int64_t>(device.positions.size()),
                 "a device batch of ", device.positions.size(), " samples cannot hold ", host.size);
  MILLRACE_CHECK(device.device != nullptr || host.pixels.data() != nullptr,
                 "batches without pixels are of samples in a device's own memory");
  const auto n = static_cast<std::size_t>(host.size);
  MILLRACE_CHECK(host.target_width == device.target_width, "host batches have targets of ",
                 host.target_width, " numbers, device batches ", device.target_width);
  if (device.target_width > 0) {
    const std::size_t numbers = n * static_cast<std::size_t>(host.target_width);
    if (!device.weighs_outputs) check_known(std::span(host.targets).first(numbers));
    std::copy_n(host.targets.begin(), numbers, device.labels.as<float>().begin());
  } else {
    std::copy_n(host.labels.begin(), n, device.labels.as<std::int32_t>().begin());
  }
  copy_weights(host, device);
  device.pass = n > 0 ? host.passes[0] : 0;
  for (std::size_t i = 0; i < n; ++i) {
    device.positions[i] = (std::uint64_t{host.passes[i] - device.pass} << 32) + host.positions[i];
  }
  if (!device.moves.empty()) draw_moves(host, device);
  device.size = host.size;
  device.holes = host.holes;
  device.tag = host.tag;
  device.host = batch.item;
  if (device.device == nullptr || device.size == 0) return {batch.slot, Completion::done()};
  return {batch.slot, device.device->upload(samples_of(host, device))};
}

}  // namespace millrace
