#include <millrace/nodes/add_upload.h>

#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>

#include <utility>

namespace millrace {

Stream<Lease<DeviceBatch>> add_upload(Pipeline& p, Stream<Lease<HostBatch>> batches,
                                      const UploadOptions& o) {
  auto device = p.pool<DeviceBatch>("device batches", o.slots, o.batches);
  CopyToDevice copy(o.batches.engine);
  copy.move_as(o.moves, o.seed);
  auto on_device =
      p.then(p.with(batches, {.name = "device slot"}, device), {.name = "copy"}, std::move(copy));
  const Shape& sample = o.batches.sample;
  return p.then(on_device, {.name = "cast"},
                Cast(o.preprocessing.value_or(nn::default_preprocessing(sample)), sample));
}

}  // namespace millrace
