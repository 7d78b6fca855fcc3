#pragma once
// Runs VGG16 on the images of record_vgg16.py, from pixels to outputs, on oneDNN in float32.

#include "training/vgg16_rule.h"

#include <millrace/cpu/engine.h>
#include <millrace/nn/layers/flatten.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>

#include <algorithm>
#include <memory>

namespace millrace::test {

/// Relative to the largest output: sums of 25,000 products in float32, in another order.
inline constexpr double kTolerance = 1e-4;

/// The recorded network, with its classifier or ended at the features.
inline nn::Model vgg16_of(const nlohmann::json& recorded, bool top) {
  const auto size = recorded.at("size").get<std::int64_t>();
  return nn::vgg16({size, size, 3}, top ? recorded.at("classes").get<std::int64_t>() : 0);
}

/// relative_difference() of the model's outputs and the recorded ones.
inline double difference(nn::Model model, const std::vector<float>& arena,
                         const nlohmann::json& recorded, std::uint32_t seed) {
  const auto expected = recorded.get<std::vector<float>>();
  // An engine's outputs are one-dimensional; features are flattened, channels fastest.
  if (nn::summarize(model).back().output.rank() == 3) {
    model.layers.push_back({.name = "flatten", .kind = nn::Flatten{}});
  }
  const std::int64_t samples =
      static_cast<std::int64_t>(expected.size()) / nn::summarize(model).back().output.elements();
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine();
  const auto executor = engine->compile(model, {.batch = samples, .training = false});
  executor->allocate();
  executor->write(nn::Arena::parameters, arena);

  Budget budget;
  Pool<HostBatch> hosts("host", 1, HostBatchFactory{.sample = model.input, .capacity = samples},
                        budget);
  Pool<DeviceBatch> devices("device", 1,
                            DeviceBatchFactory{engine, model.input, DType::u8, samples}, budget);
  const Lease<HostBatch> host = hosts.try_acquire();
  host->size = samples;
  const auto pixels = host->pixels.as<std::uint8_t>();
  std::ranges::copy(rule_images(seed, pixels.size()), pixels.begin());
  const Lease<DeviceBatch> device = CopyToDevice(engine)({host, devices.try_acquire()});
  Cast(model.preprocessing, model.input)(device);
  std::vector<float> outputs(expected.size());
  executor->predict(device->view(), outputs);
  return relative_difference(outputs, expected);
}

}  // namespace millrace::test
