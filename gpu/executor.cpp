#include <millrace/gpu/gpu_executor.h>

#include <millrace/core/error.h>
#include <millrace/gpu/kernels/step.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace millrace::gpu::detail {
namespace {

/// Losses and update rules of a program's own were not compiled for the device.
nn::CompileOptions checked(const nn::CompileOptions& options) {
  nn::validate(options);
  if (options.loss && !nn::is_of_library(*options.loss)) {
    throw Error(concat("gpu: this engine cannot do the loss '", nn::loss_info(*options.loss).option,
                       "', which is none of Millrace's own; train on the CPU engine"));
  }
  if (options.training && !nn::is_of_library(options.optimizer.kind)) {
    throw Error(concat("gpu: this engine cannot do the optimizer '",
                       nn::to_string(options.optimizer.kind),
                       "', which is none of Millrace's own; train on the CPU engine"));
  }
  return options;
}

/// What the trainable parameters are to the kernels.
std::vector<Segment> segments_of(const ParameterPlaces& parameters,
                                 const nn::GradientOptions& gradient) {
  std::vector<Segment> segments;
  for (std::size_t p = 0; p < parameters.parameters().size(); ++p) {
    const nn::Parameter& parameter = parameters.parameters()[p];
    if (!parameter.trainable) continue;
    const auto& place = parameters.place(static_cast<int>(p));
    const bool is_penalised = gradient.l2 > 0 && parameter.role == nn::Role::kernel;
    segments.push_back({place.offset, place.count(), is_penalised ? 1U : 0U});
  }
  return segments;
}

}  // namespace

GpuExecutor::GpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
                         std::shared_ptr<Context> context)
    : context_(std::move(context)),
      model_(model),
      options_(checked(options)),
      loss_(options_.loss.value_or(nn::default_loss(model))),
      places_(nn::parameters(model), context_->options.precision),
      programs_(model_, options_, context_->options, places_, context_->plans),
      needs_(memory_needs(model_, programs_, places_, options_, context_->options.precision)),
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
  is_swapped_ = false;
  is_initialised_ = needs_.parameters == 0;
  started_ = {};
  samples_in_group_ = 0;
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

void GpuExecutor::start(Program& program, unsigned purposes, const StepInput& input, std::int64_t t,
                        double learning_rate, Membership membership) {
  check_rows(input, program.batch());
  device().wait(*stream_, input.slot.ready());
  StepNumbers step = numbers(t, learning_rate, input.samples, input.pass);
  step.membership = membership;
  device().launch(*stream_, begin_step(arenas().scalars, step));
  const InputMemory memory = input.slot.memory(input.first);
  const bool gives_result = (purposes & (kTrain | kDifferentiate | kLoss)) != 0;
  if (gives_result) clock_.begin(*stream_);
  if (is_timed_) {
    program.run_timed(*context_, *stream_, purposes, memory);
  } else {
    program.run(device(), *stream_, purposes, memory, context_->options.graphs);
  }
  if (gives_result) {
    clock_.end(*stream_);
    (membership == Membership::none ? samples_under_way_ : samples_in_group_) += input.samples;
  }
  device().record(input.slot.consumed(), *stream_);
}

void GpuExecutor::start_train(const nn::Batch& batch, std::int64_t t, double learning_rate) {
  check_trains();
  nn::check_not_swapped(*this);
  Program& program = programs_.training(std::min(batch.samples, options_.batch));
  start(program, kTrain, on_device(batch, true), t, learning_rate);
  gradients_ = Gradients::given;
}

void GpuExecutor::start_evaluate(const nn::Batch& batch) {
  const StepInput input = on_device(batch, true);
  start(programs_.evaluation(input.samples), kLoss, input, 1, 0);
}

nn::StepResult GpuExecutor::collect() const {
  if (samples_under_way_ == 0) return {};
  const Scalars scalars = read_scalars();
  return {.loss_sum = scalars.results.loss_sum,
          .weight_sum = scalars.results.weight_sum,
          .correct = scalars.results.correct,
          .samples = std::exchange(samples_under_way_, 0),
          .device_s = clock_.seconds()};
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
  check_trains();
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

void GpuExecutor::reset_timings(bool enabled) {
  is_timed_ = enabled;
  programs_.reset_timings();
}

}  // namespace millrace::gpu::detail
