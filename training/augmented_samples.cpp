#include <millrace/training/augmented_samples.h>

#include <millrace/nn/reference/engine.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

namespace millrace {

ContactSheet augmented_samples(FeedOptions o, std::int64_t samples, std::stop_token stop) {
  const std::int64_t batch = o.order.batch;
  o.order.epochs = 1;
  o.order.limit_batches = static_cast<std::uint32_t>((samples + batch - 1) / batch);
  o.validation = {};
  o.engine = std::make_shared<const nn::ReferenceEngine>();  // whose steps read host memory
  const FileFeed feed(std::move(o));
  const Shape& shape = feed.options().decoding.sample;

  Pipeline p({.name = "contact sheet",
              .budget = feed.options().budget,
              .threads = feed.options().threads});
  UploadOptions upload = feed.upload();
  upload.slots = 1;
  auto inputs = add_upload(p, feed.add(p), upload);
  std::vector<float> seen;
  const auto wanted = static_cast<std::size_t>(samples * shape.elements());
  p.charge("contact sheet", 1, Bytes{wanted * (sizeof(float) + 1)});
  seen.reserve(wanted);
  p.sink(inputs, {.name = "keep"}, [&](const Lease<DeviceBatch>& lease) {
    const auto values = lease->input.as<float>().first(
        static_cast<std::size_t>(lease->size * lease->sample.elements()));
    const std::size_t count = std::min(values.size(), wanted - seen.size());
    seen.insert(seen.end(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(count));
  });
  if (p.run(std::move(stop)).stopped) throw Stopped("stopped while samples were being shown");
  const auto shown = static_cast<std::int64_t>(seen.size()) / shape.elements();
  if (shown == 0) throw Error("there is no training sample to show: none could be read");
  return contact_sheet(seen, shown, shape, feed.options().decoding.preprocessing);
}

}  // namespace millrace
