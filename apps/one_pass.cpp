#include "apps/one_pass.h"

#include "apps/choose.h"

#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/standardize.h>

#include <utility>

namespace millrace::apps {
namespace {

DType host_dtype(const OnePass& pass) {
  return nn::host_dtype(pass.model.preprocessing, pass.samples.dataset->dtype());
}

}  // namespace

DirectoryReader make_reader(const OnePass& pass) {
  return DirectoryReader(
      pass.samples, {},
      {.batch = pass.batch, .shuffle = false, .ticket_samples = ticket_samples(pass.model.input)});
}

HostBatchFactory host_batches(const OnePass& pass) {
  return {pass.model.input, host_dtype(pass), pass.batch,
          [engine = pass.engine](Bytes size) { return engine->host_buffer(size); }};
}

DeviceBatchFactory device_batches(const OnePass& pass) {
  return {pass.engine, pass.model.input, host_dtype(pass), pass.batch};
}

Stream<Lease<DeviceBatch>> add_inputs(Pipeline& p, const OnePass& pass, DirectoryReader reader,
                                      const Pool<HostBatch>& host, const Pool<DeviceBatch>& device,
                                      OnError on_bad_image, std::shared_ptr<LostSamples> lost) {
  const nn::Preprocessing& preprocessing = pass.model.preprocessing;
  const MachineSpec& machine = pass.machine;
  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels =
      p.then(tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = on_bad_image},
             DecodeInto(pass.samples.dataset, nullptr, filter_from_name(preprocessing.filter),
                        decoder_options(machine.memory_budget.value(), machine.threads,
                                        pass.max_image_pixels, preprocessing),
                        std::move(lost)));
  if (nn::needs_whole_samples(preprocessing)) {
    charge_whitening(p, preprocessing);
    pixels = p.then(pixels, {.name = "standardize", .concurrency = kAllThreads},
                    Standardize(preprocessing, pass.model.input));
  }
  auto batches = p.then(p.gather(pixels), {.name = "batch"}, Batcher{});
  auto on_device = p.then(p.with(batches, {.name = "device slot"}, device), {.name = "copy"},
                          CopyToDevice(pass.engine));
  return p.then(on_device, {.name = "cast"}, Cast(preprocessing, pass.model.input));
}

}  // namespace millrace::apps
