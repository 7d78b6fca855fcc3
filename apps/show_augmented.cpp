#include "apps/show_augmented.h"

#include "apps/training_input.h"
#include "apps/training_pipeline.h"

#include <millrace/io/watch.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace millrace::apps {

ContactSheet augmented_samples(const Training& training, std::int64_t samples,
                               std::stop_token stop) {
  Training t = training;
  const std::int64_t batch = t.spec.batch;
  t.spec.epochs = 1;
  t.spec.data.limit_batches = static_cast<std::uint32_t>((samples + batch - 1) / batch);
  t.data.validation = {};
  t.kept = nullptr;  // read, also where training replays
  t.resident = nullptr;
  t.state = nullptr;                                         // from the first batch on
  t.engine = std::make_shared<const nn::ReferenceEngine>();  // whose steps read host memory

  Pipeline p({.name = "contact sheet",
              .budget = t.spec.machine.memory_budget.value(),
              .threads = t.spec.machine.threads});
  auto batches = add_loading(p, t);
  auto device = p.pool<DeviceBatch>("device batches", 1, device_batches(t));
  auto copied = p.then(p.with(batches, {.name = "device slot"}, device), {.name = "copy"},
                       CopyToDevice(t.engine));
  auto inputs = p.then(copied, {.name = "cast"}, Cast(t.model.preprocessing, t.model.input));
  std::vector<float> seen;
  const auto wanted = static_cast<std::size_t>(samples * t.model.input.elements());
  p.charge("contact sheet", 1, Bytes{wanted * (sizeof(float) + 1)});
  seen.reserve(wanted);
  p.sink(inputs, {.name = "keep"}, [&](const Lease<DeviceBatch>& lease) {
    const auto values = lease->input.as<float>().first(
        static_cast<std::size_t>(lease->size * lease->sample.elements()));
    const std::size_t count = std::min(values.size(), wanted - seen.size());
    seen.insert(seen.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
  });
  if (p.run(std::move(stop)).stopped) throw Stopped("stopped while samples were being shown");
  const auto shown = static_cast<std::int64_t>(seen.size()) / t.model.input.elements();
  if (shown == 0) throw Error("there is no training sample to show: none could be read");
  return contact_sheet(seen, shown, t.model.input, t.model.preprocessing);
}

}  // namespace millrace::apps
