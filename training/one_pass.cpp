#include <millrace/training/one_pass.h>

#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/add_decoding.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/training/device_memory.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

constexpr int kHostBatches = 3;

}  // namespace

OnePass::OnePass(std::shared_ptr<const nn::Engine> engine, SavedModel model, SampleSet samples,
                 OnePassOptions options, nn::CompileOptions compile)
    : engine_(std::move(engine)),
      saved_(std::move(model)),
      samples_(std::move(samples)),
      options_(std::move(options)),
      compile_(std::move(compile)) {
  compile_.batch = options_.batch;
  compile_.other_batches = reader().short_batches();
  compile_.training = false;
  const auto batch = static_cast<std::uint64_t>(std::max<std::int64_t>(options_.batch, 1));
  compile_.steps = (samples_.size() + batch - 1) / batch;
  executor_ = engine_->compile(saved_.model, compile_);
}

DirectoryReader OnePass::reader() const {
  return DirectoryReader(samples_, {},
                         {.batch = options_.batch,
                          .shuffle = false,
                          .ticket_samples = ticket_samples(saved_.model.input)});
}

DeviceBatchFactory OnePass::device_batches() const {
  return {.engine = engine_,
          .sample = saved_.model.input,
          .dtype = nn::host_dtype(saved_.model.preprocessing, samples_.dataset->dtype()),
          .capacity = options_.batch,
          .target_width = static_cast<std::int64_t>(samples_.dataset->targets().size()),
          .weighs_outputs = !samples_.dataset->targets().empty()};
}

std::int64_t OnePass::output_width() const {
  return nn::summarize(saved_.model).back().output.elements();
}

Pipeline OnePass::pipeline(std::string name) const {
  Pipeline p({.name = std::move(name), .budget = options_.budget, .threads = options_.threads});
  charge_reading(p, reader(), options_.lost.get());
  charge_model(p, *engine_, executor_->memory());
  return p;
}

Stream<Lease<DeviceBatch>> OnePass::add_inputs(Pipeline& p) const {
  const DeviceBatchFactory batches = device_batches();
  auto host = p.pool<HostBatch>(
      "host batches", kHostBatches,
      HostBatchFactory{batches.sample, batches.dtype, batches.capacity,
                       [engine = engine_](Bytes size) { return engine->host_buffer(size); },
                       batches.target_width});
  const nn::Preprocessing& preprocessing = saved_.model.preprocessing;
  auto read = add_decoding(
      p, host, reader(),
      {.sample = saved_.model.input,
       .preprocessing = preprocessing,
       .decoder = decoders_within(options_.budget, options_.threads, options_.max_image_pixels),
       .on_bad_image = options_.on_bad_image,
       .lost = options_.lost});
  return add_upload(p, read, {.batches = batches, .preprocessing = preprocessing});
}

void OnePass::allocate() const {
  executor_->allocate();
  executor_->write(nn::Arena::parameters, saved_.parameters);
}

}  // namespace millrace
