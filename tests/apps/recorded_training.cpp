#include "apps/recorded_training.h"

#include "apps/images.h"

#include <millrace/training/prepare_training.h>

#include <utility>

namespace millrace::test {
namespace {

using gpu::RecordingDevice;

/// Tells the record when the bodies of stages begin and end.
class RecordedStages final : public StageWatch {
 public:
  explicit RecordedStages(std::shared_ptr<RecordingDevice> device) : device_(std::move(device)) {}
  void begin(const std::string& stage) noexcept override { device_->note_host("begin " + stage); }
  void end() noexcept override { device_->note_host("end"); }

 private:
  std::shared_ptr<RecordingDevice> device_;
};

/// Tells the record where samples are written.
class RecordedDataset final : public Dataset {
 public:
  RecordedDataset(std::shared_ptr<const Dataset> inner, std::shared_ptr<RecordingDevice> device)
      : inner_(std::move(inner)), device_(std::move(device)) {}

  [[nodiscard]] std::uint32_t size() const noexcept override { return inner_->size(); }
  [[nodiscard]] const std::vector<std::string>& classes() const noexcept override {
    return inner_->classes();
  }
  [[nodiscard]] int label(std::uint32_t index) const override { return inner_->label(index); }
  [[nodiscard]] std::string name(std::uint32_t index) const override { return inner_->name(index); }
  [[nodiscard]] Bytes index_bytes() const noexcept override { return inner_->index_bytes(); }
  [[nodiscard]] Shape natural_shape() const override { return inner_->natural_shape(); }
  [[nodiscard]] DType dtype() const noexcept override { return inner_->dtype(); }
  void load(std::uint32_t index, TensorView target, Filter filter,
            Decoder& decoder) const override {
    const auto bytes = static_cast<std::size_t>(target.shape.elements()) * size_of(target.dtype);
    device_->note_host("load", {{target.data, bytes, true}});
    inner_->load(index, target, filter, decoder);
  }

 private:
  std::shared_ptr<const Dataset> inner_;
  std::shared_ptr<RecordingDevice> device_;
};

TrainingData open(const TrainSpec& options, const std::shared_ptr<RecordingDevice>& device) {
  TrainingData data = open_training_data(options);
  for (SampleSet* set : {&data.training, &data.validation}) {
    if (set->dataset != nullptr) {
      set->dataset = std::make_shared<RecordedDataset>(set->dataset, device);
    }
  }
  return data;
}

}  // namespace

std::filesystem::path write_images(const Scratch& scratch, int images_each, int size) {
  return write_classes(scratch / "data", {"dark", "light"}, images_each, size);
}

TrainSpec options_for(const std::filesystem::path& data, const std::string& model) {
  TrainSpec options;
  options.data.path = data.string();
  options.data.validation_share = 0;
  options.model.name = model;
  options.epochs = 1;
  options.batch = 4;
  options.optimizer.learning_rate = 0.05;
  options.run.checkpoints = false;
  options.machine.device = Device::cpu;  // what else it is, the engine says
  options.machine.threads = 2;
  options.machine.compute_threads = 1;
  options.machine.memory_budget = 1_GiB;
  options.run.directory = "not used";
  return options;
}

RecordedTraining::RecordedTraining(const TrainSpec& options,
                                   const gpu::EngineOptions& engine_options, gpu::Faults faults)
    : device(RecordingDevice::make(std::move(faults))),
      engine(gpu::make_engine(device, engine_options)),
      training(prepare_training(options, open(options, device), engine)) {
  training.stages = std::make_shared<RecordedStages>(device);
}

void RecordedTraining::allocate() const {
  millrace::allocate(training);
  if (training.pruner == nullptr) return;
  training.pruner->begin(*training.state->executor, training.state->step, false);
}

Report RecordedTraining::run(Logger::Watchers watchers) const {
  (void)training.feed->load({});
  allocate();
  return compose_training(training, {}, std::move(watchers)).run();
}

void RecordedTraining::check_device() const {
  for (const std::string& violation : device->violations()) FAIL_CHECK(violation);
}

Pipeline compose_steps(const RecordedTraining& recorded, int device_slots,
                       std::int64_t report_every) {
  const Training& t = recorded.training;
  Pipeline p({.name = "steps", .threads = t.spec.machine.threads, .watch = t.stages});
  UploadOptions upload = t.feed->upload();
  upload.slots = device_slots;
  auto inputs = add_upload(p, t.feed->add(p, FeedStart::of(*t.state)), upload);
  TrainStep step(t.state);
  step.report_every(report_every);
  auto steps = p.then(inputs, {.name = "train", .on = On::engine}, std::move(step));
  p.sink(steps, {.name = "log", .on = On::blocking}, Logger({}));
  return p;
}

}  // namespace millrace::test
