#include <millrace/nodes/copy_to_device.h>

#include <algorithm>
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
  samples.weights = std::span(batch.weights).first(n);
  samples.draws = std::span(batch.draws).first(n);
  samples.pass = batch.pass;
  samples.samples = batch.size;
  return samples;
}

}  // namespace

CopyToDevice::CopyToDevice(std::shared_ptr<const nn::Engine> engine) : engine_(std::move(engine)) {}

Pending<Lease<DeviceBatch>> CopyToDevice::operator()(
    const With<Lease<HostBatch>, DeviceBatch>& batch) const {
  const HostBatch& host = *batch.item;
  DeviceBatch& device = *batch.slot;
  MILLRACE_CHECK((device.device == nullptr) == engine_->shares_host_memory(),
                 "the device batches are of another engine than ", engine_->description());
  MILLRACE_CHECK(host.size <= static_cast<std::int64_t>(device.weights.size()),
                 "a device batch of ", device.weights.size(), " samples cannot hold ", host.size);
  MILLRACE_CHECK(device.device != nullptr || host.pixels.data() != nullptr,
                 "batches without pixels are of samples in a device's own memory");
  const auto n = static_cast<std::size_t>(host.size);
  MILLRACE_CHECK(host.target_width == device.target_width, "host batches have targets of ",
                 host.target_width, " numbers, device batches ", device.target_width);
  if (device.target_width > 0) {
    const std::size_t numbers = n * static_cast<std::size_t>(host.target_width);
    std::copy_n(host.targets.begin(), numbers, device.labels.as<float>().begin());
  } else {
    std::copy_n(host.labels.begin(), n, device.labels.as<std::int32_t>().begin());
  }
  std::copy_n(host.weights.begin(), n, device.weights.begin());
  device.pass = n > 0 ? host.passes[0] : 0;
  for (std::size_t i = 0; i < n; ++i) {
    device.draws[i] = (std::uint64_t{host.passes[i] - device.pass} << 32) + host.draws[i];
  }
  device.size = host.size;
  device.holes = host.holes;
  device.tag = host.tag;
  device.host = batch.item;
  if (device.device == nullptr || device.size == 0) return {batch.slot, Completion::done()};
  return {batch.slot, device.device->upload(samples_of(host, device))};
}

}  // namespace millrace
