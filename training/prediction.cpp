#include <millrace/training/prediction.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace millrace {
namespace {

constexpr int kOutputSlots = 2;

/// The model's outputs for a batch of samples.
struct Outputs {
  std::vector<float> values;           // [capacity][width]
  std::vector<std::uint32_t> samples;  // [capacity]
  std::size_t size = 0;
};

/// Makes the slots of a pool of them.
struct OutputsFactory {
  std::size_t rows = 0, width = 0;

  [[nodiscard]] Outputs operator()() const {
    return {std::vector<float>(rows * width), std::vector<std::uint32_t>(rows)};
  }
  [[nodiscard]] Bytes bytes() const {
    return {rows * (width * sizeof(float) + sizeof(std::uint32_t))};
  }
};

OnePassOptions fitted_to(const SampleSet& samples, OnePassOptions options) {
  if (samples.size() > 0) options.batch = std::min<std::int64_t>(options.batch, samples.size());
  return options;
}

}  // namespace

PredictionSession::PredictionSession(std::shared_ptr<const nn::Engine> engine, SavedModel model,
                                     SampleSet samples, OnePassOptions options)
    : pass_(std::move(engine), std::move(model), samples, fitted_to(samples, std::move(options))) {}

Report PredictionSession::run(std::function<void(const Predicted&)> tell,
                              std::stop_token stop) const {
  const auto width = static_cast<std::size_t>(pass_.output_width());
  Pipeline p = pass_.pipeline("predict");
  auto inputs = pass_.add_inputs(p);
  auto slots = p.pool<Outputs>("outputs", kOutputSlots,
                               OutputsFactory{static_cast<std::size_t>(pass_.batch()), width});
  auto predicted =
      p.then(p.with(inputs, {.name = "output slot"}, slots), {.name = "predict", .on = On::engine},
             [this](const With<Lease<DeviceBatch>, Outputs>& batch) {
               Outputs& outputs = *batch.slot;
               outputs.size = static_cast<std::size_t>(batch.item->size);
               if (outputs.size == 0) return batch.slot;
               pass_.executor().predict(batch.item->view(), outputs.values);
               // One pass in their order: a position in it is a place in the list of samples.
               for (std::size_t i = 0; i < outputs.size; ++i) {
                 outputs.samples[i] = pass_.samples().samples[batch.item->positions[i]];
               }
               return batch.slot;
             });
  p.sink(predicted, {.name = "tell", .on = On::blocking},
         [tell = std::move(tell), width](const Lease<Outputs>& outputs) {
           if (outputs->size == 0) return;
           tell({std::span(outputs->samples).first(outputs->size),
                 std::span(outputs->values).first(outputs->size * width), width});
         });
  p.check();
  pass_.allocate();
  return p.run(std::move(stop));
}

}  // namespace millrace
