#include <millrace/gpu/executor.h>

#include <millrace/core/error.h>
#include <millrace/gpu/device_input.h>
#include <millrace/gpu/executor_memory.h>
#include <millrace/gpu/step_clock.h>
#include <millrace/gpu/step_group.h>
#include <millrace/gpu/transfer.h>
#include <millrace/gpu/update_arenas.h>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

namespace millrace::gpu {
namespace {

nn::CompileOptions checked(const nn::CompileOptions& options) {
  nn::validate(options);
  return options;
}

Lowering::Options lowering_options(const nn::CompileOptions& options, const EngineOptions& engine) {
  return {.precision = engine.precision,
          .seed = options.seed,
          .optimizer = options.optimizer,
          .gradient = options.gradient,
          .loss_scale = engine.loss_scale};
}

class GpuExecutor : public nn::Executor {
 public:
  GpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
              std::shared_ptr<Context> context);
  ~GpuExecutor() override;

  [[nodiscard]] const nn::Model& model() const override { return model_; }
  [[nodiscard]] std::vector<nn::MemoryLine> memory() const override { return needs_.lines(); }
  void allocate() override;
  void release() override;
  nn::StepResult train(const nn::Batch& batch, std::int64_t t, double learning_rate) override;
  void start_train(const nn::Batch& batch, std::int64_t t, double learning_rate) override;
  void start_evaluate(const nn::Batch& batch) override;
  void start_steps(const nn::Batch& batch, std::int64_t rows, std::int64_t t,
                   std::span<const double> learning_rates) override;
  nn::StepResult finish() override;
  nn::StepResult gradients(const nn::Batch& batch) override;
  nn::StepResult evaluate(const nn::Batch& batch, std::span<float> outputs) override;
  void predict(const nn::Batch& batch, std::span<float> outputs) override;
  void mask_updates(bool enabled) override { masks_updates_ = enabled; }
  [[nodiscard]] bool masks_updates() const override { return masks_updates_; }
  void read(nn::Arena arena, std::span<float> values) const override;
  void write(nn::Arena arena, std::span<const float> values) override;
  [[nodiscard]] std::optional<nn::LossScaleState> loss_scale() const override;
  void set_loss_scale(const nn::LossScaleState& state) override;
  [[nodiscard]] std::vector<nn::OpTiming> timings() const override { return programs_.timings(); }
  void reset_timings(bool enabled) override;

 private:
  /// A part of a slot, and what the step there is about.
  struct StepInput {
    InputSlot& slot;
    std::int64_t first, samples;
    std::uint32_t pass;
  };

  [[nodiscard]] Device& device() const { return *context_->device; }
  /// Until all that was queued has ended.
  void wait_for_steps() const {
    device().record(*done_, *stream_);
    context_->waiter.wait(*done_, "the last steps");
  }
  [[nodiscard]] const Arenas& arenas() const { return memory_.arenas(); }
  void check_allocated() const;
  void check_slot(const InputSlot& slot, const nn::Batch& batch, bool needs_labels) const;
  void check_labels(InputSlot::LabelRange labels) const;
  /// Where the batch lies on the device; a batch in host memory is brought there first.
  [[nodiscard]] StepInput on_device(const nn::Batch& batch, bool needs_labels);
  InputSlot& upload(const nn::Batch& batch, bool needs_labels);
  void start(Program& program, unsigned purposes, const StepInput& input, std::int64_t t,
             double learning_rate);
  /// Training steps of `rows` samples each, at most kMostSteps.
  void start_group(const StepInput& input, std::int64_t rows, std::int64_t t,
                   std::span<const double> learning_rates);
  void check_rows(const StepInput& input, std::int64_t rows) const;
  [[nodiscard]] StepNumbers numbers(std::int64_t t, double learning_rate, std::int64_t samples,
                                    std::uint32_t pass) const {
    return {learning_rate, t, samples, pass, masks_updates_ ? 1U : 0U};
  }
  /// What was started, and the scalars that say how it ended.
  nn::StepResult collect() const;
  void settle() const { started_ += collect(); }
  void copy_outputs(const Program& program, std::int64_t samples, std::span<float> outputs);
  [[nodiscard]] float* arena_memory(nn::Arena arena, std::size_t values) const;
  /// Gradients as float32 where the activations were.
  [[nodiscard]] float* seen_gradients() const;
  [[nodiscard]] Type type() const { return nn::storage_of(context_->options.precision); }
  [[nodiscard]] bool has_copies() const { return type() != Type::f32; }
  [[nodiscard]] bool scales() const { return context_->options.precision == nn::Precision::fp16; }
  void write_scalars(const Scalars& scalars) const;
  [[nodiscard]] Scalars read_scalars() const;

  std::shared_ptr<Context> context_;
  nn::Model model_;
  nn::CompileOptions options_;
  nn::Loss loss_;
  ParameterPlaces places_;
  Programs programs_;
  StepGroups groups_;
  MemoryNeeds needs_;
  std::int64_t outputs_ = 0;  // K
  std::unique_ptr<Stream> stream_;
  std::unique_ptr<Event> done_;  // what the host waits for

  // From allocate() to release():
  ExecutorMemory memory_;
  std::unique_ptr<Transfer> transfer_;
  Buffer pinned_scalars_, pinned_outputs_;
  std::optional<InputSlot> own_slot_;  // for batches in host memory, from the first of them on
  enum class Gradients { written, differentiated, given } gradients_ = Gradients::written;
  bool masks_updates_ = true;
  bool is_timed_ = false;
  mutable StepClock clock_;
  mutable std::int64_t samples_under_way_ = 0;
  mutable nn::StepResult started_;  // results of steps that had to be waited for before finish()
};

GpuExecutor::GpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
                         std::shared_ptr<Context> context)
    : context_(std::move(context)),
      model_(model),
      options_(checked(options)),
      loss_(options_.loss.value_or(nn::default_loss(model))),
      places_(nn::parameters(model), context_->options.precision),
      programs_(model_, options_, lowering_options(options_, context_->options), places_,
                context_->plans),
      needs_(memory_needs(programs_, places_, options_, context_->options.precision)),
      outputs_(nn::summarize(model).back().output.elements()),
      stream_(device().make_stream("compute")),
      done_(device().make_event(false)),
      clock_(device()) {}

GpuExecutor::~GpuExecutor() {
  try {  // nothing may be under way in memory that goes
    if (memory_) wait_for_steps();
  } catch (const std::exception&) {  // the device has gone, and nobody is left to be told
  }
}

void GpuExecutor::allocate() {
  release();
  memory_ = ExecutorMemory(device(), needs_);
  pinned_scalars_ = device().allocate_pinned(Bytes{sizeof(Scalars)});
  const Program& program = programs_.evaluation(options_.batch);
  pinned_outputs_ = device().allocate_pinned(
      Bytes{static_cast<std::uint64_t>(program.batch() * program.output_stored()) * sizeof(float)});
  transfer_ = std::make_unique<Transfer>(*context_, *stream_, *done_, places_);
  for (const Buffer* block : memory_.zeroed()) {
    device().fill(*stream_, block->data(), 0, Bytes{block->size()});
  }
  const std::vector<Segment> segments = segments_of(places_, options_.gradient);
  transfer_->write_bytes(arenas().segments, std::as_bytes(std::span(segments)));
  Scalars scalars{};
  scalars.unscale = 1;
  scalars.clip = 1;
  scalars.loss_scale.scale = scales() ? context_->options.loss_scale.initial : 1;
  write_scalars(scalars);
  if (arenas().masks != nullptr) {
    const auto count = static_cast<std::size_t>(places_.outside_elements(true));
    transfer_->write(arenas().masks, true, std::vector<float>(count, 1.0F));
  }
  programs_.bind(arenas());
  gradients_ = Gradients::written;
  masks_updates_ = true;
  started_ = {};
}

void GpuExecutor::release() {
  if (memory_) collect();  // nothing may be under way in memory that goes
  groups_.clear();
  programs_.unbind();
  own_slot_.reset();
  transfer_.reset();
  memory_ = {};
  pinned_scalars_ = Buffer();
  pinned_outputs_ = Buffer();
}

void GpuExecutor::check_allocated() const {
  MILLRACE_CHECK(bool(memory_), "allocate() comes before the first step");
}

void GpuExecutor::check_labels(InputSlot::LabelRange labels) const {
  const std::int64_t classes = loss_ == nn::Loss::sigmoid_cross_entropy ? 2 : outputs_;
  if (labels.smallest >= 0 && labels.largest < classes) return;
  throw Error(concat("labels: the batch has label ",
                     labels.smallest < 0 ? labels.smallest : labels.largest, "; expected 0 to ",
                     classes - 1));
}

void GpuExecutor::check_slot(const InputSlot& slot, const nn::Batch& batch,
                             bool needs_labels) const {
  MILLRACE_CHECK(slot.context() == context_.get(), "the batch lies in a slot of another engine");
  const nn::DeviceInputLayout& layout = slot.layout();
  if (layout.sample != model_.input) {
    throw Error(concat("gpu: the slot holds samples of ", layout.sample, "; the model '",
                       model_.name, "' expects ", model_.input));
  }
  MILLRACE_CHECK(batch.samples >= 1 && batch.samples <= slot.samples(), "a batch of ",
                 batch.samples, " samples in a slot that has ", slot.samples());
  if (!needs_labels) return;
  const std::int64_t width = layout.learns_input ? layout.sample.elements() : layout.target_width;
  const bool may_be_index = outputs_ == 1 || loss_ == nn::Loss::softmax_cross_entropy;
  if (width == 0 ? !may_be_index : width != outputs_) {
    throw Error(concat("gpu: the slot has ", width, " targets a sample for ", outputs_,
                       " outputs of the model '", model_.name, "'"));
  }
  if (width == 0) check_labels(slot.labels());
}

InputSlot& GpuExecutor::upload(const nn::Batch& batch, bool needs_labels) {
  nn::check_batch(batch, model_, options_.batch, needs_labels);
  const ConstTensorView& labels = batch.labels;
  const bool has_targets = labels.data != nullptr && labels.dtype == DType::f32;
  const bool has_indices = labels.data != nullptr && labels.dtype == DType::i32;
  if (needs_labels && !has_targets && !has_indices) {
    throw Error(concat("labels: ", to_string(labels.dtype), " ", labels.shape,
                       "; expected i32 [N] or f32 [N][", outputs_, "]"));
  }
  const std::int64_t width = has_targets ? labels.shape.elements() / labels.shape[0] : 0;
  if (!own_slot_ || own_slot_->layout().target_width != width) {
    settle();
    own_slot_.emplace(context_, nn::DeviceInputLayout{.sample = model_.input,
                                                      .pixels = DType::f32,
                                                      .capacity = options_.batch,
                                                      .target_width = width});
  }
  nn::HostSamples samples{.pixels = batch.input.data,
                          .weights = batch.weights,
                          .draws = batch.draws,
                          .pass = batch.pass,
                          .samples = batch.samples};
  if (has_targets) samples.targets = labels.as<float>();
  if (has_indices) samples.labels = labels.as<std::int32_t>();
  own_slot_->upload(samples).wait();
  const auto channels = static_cast<std::size_t>(model_.input[-1]);
  const nn::Normalization identity{std::vector<float>(channels, 1.0F),
                                   std::vector<float>(channels, 0.0F)};
  own_slot_->cast(identity).wait();
  return *own_slot_;
}

GpuExecutor::StepInput GpuExecutor::on_device(const nn::Batch& batch, bool needs_labels) {
  check_allocated();
  InputSlot* slot = nullptr;
  if (batch.device == nullptr) {
    slot = &upload(batch, needs_labels);
  } else {
    slot = dynamic_cast<InputSlot*>(batch.device);
    MILLRACE_CHECK(slot != nullptr, "the batch lies in a slot of another engine");
  }
  check_slot(*slot, batch, needs_labels);
  return {*slot, 0, batch.samples, batch.pass};
}

void GpuExecutor::check_rows(const StepInput& input, std::int64_t rows) const {
  const std::int64_t last = input.first + rows;
  if (last > input.slot.layout().capacity) {
    throw Error(concat("gpu: a step of ", rows, " rows from row ", input.first,
                       " on needs a slot of ", last, ", not ", input.slot.layout().capacity));
  }
}

void GpuExecutor::start(Program& program, unsigned purposes, const StepInput& input, std::int64_t t,
                        double learning_rate) {
  check_rows(input, program.batch());
  device().wait(*stream_, input.slot.ready());
  device().launch(
      *stream_, begin_step(arenas().scalars, numbers(t, learning_rate, input.samples, input.pass)));
  const InputMemory memory = input.slot.memory(input.first);
  clock_.begin(*stream_);
  if (is_timed_) {
    program.run_timed(*context_, *stream_, purposes, memory);
  } else {
    program.run(device(), *stream_, purposes, memory, context_->options.graphs);
  }
  clock_.end(*stream_);
  device().record(input.slot.consumed(), *stream_);
  samples_under_way_ += (purposes & (kTrain | kDifferentiate | kLoss)) != 0 ? input.samples : 0;
}

void GpuExecutor::start_train(const nn::Batch& batch, std::int64_t t, double learning_rate) {
  check_allocated();
  Program& program = programs_.training(std::min(batch.samples, options_.batch));
  start(program, kTrain, on_device(batch, true), t, learning_rate);
  gradients_ = Gradients::given;
}

void GpuExecutor::start_evaluate(const nn::Batch& batch) {
  const StepInput input = on_device(batch, true);
  start(programs_.evaluation(input.samples), kLoss, input, 1, 0);
}

void GpuExecutor::start_steps(const nn::Batch& batch, std::int64_t rows, std::int64_t t,
                              std::span<const double> learning_rates) {
  if (batch.device == nullptr) {
    return nn::Executor::start_steps(batch, rows, t, learning_rates);
  }
  const std::int64_t steps = (batch.samples + rows - 1) / rows;
  MILLRACE_CHECK(rows > 0 && rows <= options_.batch &&
                     static_cast<std::int64_t>(learning_rates.size()) == steps,
                 "a learning rate for each of the steps of ", rows, " of ", batch.samples,
                 " samples, not ", learning_rates.size());
  const StepInput all = on_device(batch, true);
  for (std::int64_t i = 0; i < steps; i += kMostSteps) {
    const std::int64_t first = i * rows, count = std::min(kMostSteps, steps - i);
    start_group(
        {all.slot, first, std::min(count * rows, batch.samples - first), batch.pass}, rows, t + i,
        learning_rates.subspan(static_cast<std::size_t>(i)).first(static_cast<std::size_t>(count)));
  }
  gradients_ = Gradients::given;
}

void GpuExecutor::start_group(const StepInput& input, std::int64_t rows, std::int64_t t,
                              std::span<const double> learning_rates) {
  const auto steps = static_cast<std::int64_t>(learning_rates.size());
  const auto part = [&](std::int64_t i) {
    return StepInput{input.slot, input.first + i * rows, std::min(rows, input.samples - i * rows),
                     input.pass};
  };
  if (is_timed_) {
    for (std::int64_t i = 0; i < steps; ++i) {
      start(programs_.training(part(i).samples), kTrain, part(i), t + i,
            learning_rates[static_cast<std::size_t>(i)]);
    }
    return;
  }
  const StepInput last = part(steps - 1);
  check_rows(last, programs_.training(last.samples).batch());
  device().wait(*stream_, input.slot.ready());
  for (const Launch& launch :
       keep_steps(arenas().steps, numbers(t, 0, rows, input.pass), input.samples, learning_rates)) {
    device().launch(*stream_, launch);
  }
  clock_.begin(*stream_);
  groups_.run(device(), *stream_, {input.slot.memory(input.first), rows, input.samples},
              context_->options.graphs, [&] {
                for (std::int64_t i = 0; i < steps; ++i) {
                  device().launch(*stream_, begin_step(arenas().scalars, arenas().steps + i));
                  programs_.training(part(i).samples)
                      .queue(device(), *stream_, kTrain, input.slot.memory(part(i).first));
                }
              });
  clock_.end(*stream_);
  device().record(input.slot.consumed(), *stream_);
  samples_under_way_ += input.samples;
}

nn::StepResult GpuExecutor::collect() const {
  if (samples_under_way_ == 0) return {};
  const Scalars scalars = read_scalars();
  return {.loss_sum = scalars.loss_sum,
          .weight_sum = scalars.weight_sum,
          .correct = scalars.correct,
          .samples = std::exchange(samples_under_way_, 0),
          .device_s = clock_.seconds()};
}

Scalars GpuExecutor::read_scalars() const {
  Scalars* const scalars = arenas().scalars;
  device().copy(*stream_, pinned_scalars_.data(), scalars, Bytes{sizeof(Scalars)},
                Device::Copy::to_host);
  constexpr std::size_t kResults = offsetof(Scalars, loss_sum);
  device().fill(*stream_, reinterpret_cast<std::byte*>(scalars) + kResults, 0,
                Bytes{sizeof(Scalars) - kResults});
  wait_for_steps();
  return pinned_scalars_.as<Scalars>()[0];
}

void GpuExecutor::write_scalars(const Scalars& scalars) const {
  transfer_->write_bytes(arenas().scalars, std::as_bytes(std::span(&scalars, 1)));
}

nn::StepResult GpuExecutor::finish() {
  settle();
  return std::exchange(started_, {});
}

nn::StepResult GpuExecutor::train(const nn::Batch& batch, std::int64_t t, double learning_rate) {
  check_allocated();
  settle();
  start_train(batch, t, learning_rate);
  return collect();
}

nn::StepResult GpuExecutor::gradients(const nn::Batch& batch) {
  check_allocated();
  settle();
  Program& program = programs_.training(std::min(batch.samples, options_.batch));
  start(program, kDifferentiate, on_device(batch, true), 1, 0);
  gradients_ = Gradients::differentiated;
  return collect();
}

nn::StepResult GpuExecutor::evaluate(const nn::Batch& batch, std::span<float> outputs) {
  check_allocated();
  settle();
  const StepInput input = on_device(batch, true);
  Program& program = programs_.evaluation(batch.samples);
  start(program, outputs.empty() ? kLoss : kLoss | kOutput, input, 1, 0);
  if (!outputs.empty()) copy_outputs(program, batch.samples, outputs);
  return collect();
}

void GpuExecutor::predict(const nn::Batch& batch, std::span<float> outputs) {
  check_allocated();
  settle();
  const StepInput input = on_device(batch, false);
  Program& program = programs_.evaluation(batch.samples);
  start(program, kOutput, input, 1, 0);
  copy_outputs(program, batch.samples, outputs);
}

void GpuExecutor::copy_outputs(const Program& program, std::int64_t samples,
                               std::span<float> outputs) {
  const std::int64_t width = program.output_width(), stored = program.output_stored();
  MILLRACE_CHECK(static_cast<std::int64_t>(outputs.size()) >= samples * width, "outputs of ",
                 samples, " samples are ", samples * width, " values, not ", outputs.size());
  const auto bytes = static_cast<std::uint64_t>(samples * stored) * sizeof(float);
  device().copy(*stream_, pinned_outputs_.data(), program.output(), Bytes{bytes},
                Device::Copy::to_host);
  wait_for_steps();
  const float* const rows = pinned_outputs_.as<float>().data();
  for (std::int64_t n = 0; n < samples; ++n) {
    std::copy_n(rows + n * stored, width, outputs.data() + n * width);
  }
}

float* GpuExecutor::arena_memory(nn::Arena arena, std::size_t values) const {
  check_allocated();
  const Arenas& all = arenas();
  const auto memory_of = [&]() -> float* {
    switch (arena) {
      case nn::Arena::parameters: return all.masters;
      case nn::Arena::gradients: return reinterpret_cast<float*>(all.gradients);
      case nn::Arena::first_moment: return all.first;
      case nn::Arena::second_moment: return all.second;
      case nn::Arena::masks: break;
    }
    return all.masks;
  };
  float* const memory = memory_of();
  if (memory == nullptr) {
    throw Error(concat("gpu: the model '", model_.name, "' was compiled without this arena; ",
                       "a second moment is Adam's only, masks are kept on request"));
  }
  const std::int64_t expected = places_.outside_elements(arena != nn::Arena::parameters);
  MILLRACE_CHECK(static_cast<std::int64_t>(values) == expected, "the arena has ", expected,
                 " values, not ", values);
  return memory;
}

float* GpuExecutor::seen_gradients() const {
  auto* const seen = reinterpret_cast<float*>(arenas().activations);
  const std::int64_t count = places_.trainable_elements();
  if (gradients_ == Gradients::written) {
    device().launch(*stream_, unpack(type(), arenas().gradients, seen, {1, count, count}));
  } else {
    device().launch(*stream_, read_gradients(type(), update_arenas(arenas(), update_size(places_)),
                                             options_.gradient, gradients_ == Gradients::given,
                                             seen, arenas().scalars));
  }
  return seen;
}

void GpuExecutor::read(nn::Arena arena, std::span<float> values) const {
  const float* memory = arena_memory(arena, values.size());
  settle();
  if (arena == nn::Arena::gradients) memory = seen_gradients();
  transfer_->read(memory, arena != nn::Arena::parameters, values);
}

void GpuExecutor::write(nn::Arena arena, std::span<const float> values) {
  float* const memory = arena_memory(arena, values.size());
  settle();
  if (arena == nn::Arena::gradients) {
    auto* const seen = reinterpret_cast<float*>(arenas().activations);
    transfer_->write(seen, true, values);
    const std::int64_t count = places_.trainable_elements();
    device().launch(*stream_, pack(type(), seen, arenas().gradients, {1, count, count}));
    gradients_ = Gradients::written;
    return;
  }
  transfer_->write(memory, arena != nn::Arena::parameters, values);
  if (arena == nn::Arena::parameters && has_copies()) {
    device().launch(
        *stream_, refresh_working(type(), arenas().masters, arenas().working, places_.elements()));
  }
}

std::optional<nn::LossScaleState> GpuExecutor::loss_scale() const {
  if (!scales()) return std::nullopt;
  check_allocated();
  settle();
  return read_scalars().loss_scale;
}

void GpuExecutor::set_loss_scale(const nn::LossScaleState& state) {
  if (!scales()) return;
  check_allocated();
  settle();
  Scalars scalars = read_scalars();
  scalars.loss_scale = state;
  write_scalars(scalars);
}

void GpuExecutor::reset_timings(bool enabled) {
  is_timed_ = enabled;
  programs_.reset_timings();
}

}  // namespace

std::unique_ptr<nn::Executor> make_executor(const nn::Model& model,
                                            const nn::CompileOptions& options,
                                            std::shared_ptr<Context> context) {
  return std::make_unique<GpuExecutor>(model, options, std::move(context));
}

}  // namespace millrace::gpu
