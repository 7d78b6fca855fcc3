#include <millrace/cpu/executor.h>

#include <millrace/core/error.h>
#include <millrace/cpu/programs.h>
#include <millrace/cpu/threads.h>
#include <millrace/cpu/update.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace millrace::cpu {
namespace {

class CpuExecutor : public nn::Executor {
 public:
  CpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
              const EngineOptions& engine);

  [[nodiscard]] const nn::Model& model() const override { return model_; }
  [[nodiscard]] std::vector<nn::MemoryLine> memory() const override;
  void allocate() override;
  void release() override;
  nn::StepResult train(const nn::Batch& batch, std::int64_t t, double learning_rate) override;
  nn::StepResult gradients(const nn::Batch& batch) override;
  nn::StepResult evaluate(const nn::Batch& batch, std::span<float> outputs) override;
  void predict(const nn::Batch& batch, std::span<float> outputs) override;
  void mask_updates(bool enabled) override { masks_updates_ = enabled; }
  [[nodiscard]] bool masks_updates() const override { return masks_updates_; }
  void read(nn::Arena arena, std::span<float> values) const override;
  void write(nn::Arena arena, std::span<const float> values) override;
  [[nodiscard]] std::vector<nn::OpTiming> timings() const override;
  void reset_timings(bool enabled) override;

 private:
  void plan_memory();
  void check(const nn::Batch& batch) const;
  void check_allocated() const;
  /// Forward, loss and backward of the data alone.
  nn::StepResult differentiate(const nn::Batch& batch);
  void copy_outputs(const Program& program, std::int64_t samples, std::span<float> outputs) const;
  [[nodiscard]] FlatArenas trainable_arenas() const;
  [[nodiscard]] const Buffer& buffer(nn::Arena arena, std::size_t values) const;

  nn::Model model_;
  nn::CompileOptions options_;
  int threads_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  ParameterLayouts layouts_;
  Programs programs_;
  std::optional<Updater> updater_;  // once the layouts are placed
  Bytes parameter_bytes_, gradient_bytes_, state_bytes_, mask_bytes_;
  Buffer parameters_, gradients_, first_moment_, second_moment_, masks_, activations_, scratch_;
  std::optional<double> penalty_;  // of the weights as they are, if it is known
  bool masks_updates_ = true;
  bool is_timed_ = false;
  double update_seconds_ = 0;
  std::int64_t updates_ = 0;
};

nn::CompileOptions checked(const nn::CompileOptions& options) {
  nn::validate(options);
  return options;
}

CpuExecutor::CpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
                         const EngineOptions& engine)
    : model_(model),
      options_(checked(options)),
      threads_(engine.threads),
      layouts_(nn::parameters(model)),
      programs_(model_, options_, engine, engine_, layouts_) {
  plan_memory();
  updater_.emplace(options_.optimizer, options_.gradient, layouts_);
}

void CpuExecutor::plan_memory() {
  layouts_.place();
  const auto bytes = [](std::int64_t elements) {
    return Bytes{static_cast<std::uint64_t>(elements) * sizeof(float)};
  };
  parameter_bytes_ = bytes(layouts_.elements());
  if (!options_.training) return;
  gradient_bytes_ = bytes(layouts_.trainable_elements());
  state_bytes_ = static_cast<std::uint64_t>(nn::state_arenas(options_.optimizer)) * gradient_bytes_;
  if (options_.masks) mask_bytes_ = gradient_bytes_;
}

std::vector<nn::MemoryLine> CpuExecutor::memory() const {
  std::vector<nn::MemoryLine> lines{{"parameters", parameter_bytes_},
                                    {"gradients", gradient_bytes_},
                                    {"optimizer state", state_bytes_}};
  if (mask_bytes_.count > 0) lines.push_back({"masks", mask_bytes_});
  lines.push_back({"activations", programs_.activations()});
  lines.push_back({"scratch", programs_.scratch()});
  return lines;
}

void CpuExecutor::allocate() {
  const int states = options_.training ? nn::state_arenas(options_.optimizer) : 0;
  parameters_ = Buffer(parameter_bytes_);
  gradients_ = Buffer(gradient_bytes_);
  if (states >= 1) first_moment_ = Buffer(gradient_bytes_);
  if (states >= 2) second_moment_ = Buffer(gradient_bytes_);
  masks_ = Buffer(mask_bytes_);
  std::ranges::fill(masks_.as<float>(), 1.0F);
  activations_ = Buffer(programs_.activations());
  scratch_ = Buffer(programs_.scratch());
  programs_.bind({parameters_.data(), gradients_.data(), activations_.data(), scratch_.data()});
  penalty_.reset();
  masks_updates_ = true;
}

void CpuExecutor::release() {
  programs_.unbind();
  for (Buffer* memory : {&parameters_, &gradients_, &first_moment_, &second_moment_, &masks_,
                         &activations_, &scratch_}) {
    *memory = Buffer();
  }
}

void CpuExecutor::check_allocated() const {
  MILLRACE_CHECK(parameters_.size() > 0, "allocate() comes before the first step");
}

void CpuExecutor::check(const nn::Batch& batch) const {
  check_allocated();
  if (batch.samples < 1 || batch.samples > options_.batch) {
    throw Error(
        concat("cpu: a batch of ", batch.samples, " samples; compiled for 1 to ", options_.batch));
  }
  const Shape expected = model_.input.with_front(batch.samples);
  const Shape& given = batch.input.shape;
  const bool fits = batch.input.dtype == DType::f32 && given.rank() == expected.rank() &&
                    given[0] >= batch.samples && given.without_front() == model_.input;
  if (!fits) {
    throw Error(concat("cpu: the input is ", to_string(batch.input.dtype), " ", given,
                       "; the model '", model_.name, "' expects f32 ", expected));
  }
  MILLRACE_CHECK(
      batch.draws.empty() || static_cast<std::int64_t>(batch.draws.size()) >= batch.samples,
      "a draw for each sample, or none");
}

nn::StepResult CpuExecutor::differentiate(const nn::Batch& batch) {
  check(batch);
  const ThreadScope scope(threads_);
  return programs_.training(batch.samples).run(Part::loss, batch, is_timed_);
}

FlatArenas CpuExecutor::trainable_arenas() const {
  const auto trainable = static_cast<std::size_t>(layouts_.trainable_elements());
  return {.weights = parameters_.as<float>().first(trainable),
          .gradients = gradients_.as<float>(),
          .first = first_moment_.as<float>(),
          .second = second_moment_.as<float>(),
          .masks = masks_updates_ ? masks_.as<float>() : std::span<float>()};
}

nn::StepResult CpuExecutor::gradients(const nn::Batch& batch) {
  nn::StepResult result = differentiate(batch);
  const ThreadScope scope(threads_);
  const double penalty = updater_->add_penalty(trainable_arenas());
  result.loss_sum += penalty * static_cast<double>(batch.samples);
  return result;
}

nn::StepResult CpuExecutor::train(const nn::Batch& batch, std::int64_t t, double learning_rate) {
  using Clock = std::chrono::steady_clock;
  nn::StepResult result = differentiate(batch);
  const ThreadScope scope(threads_);
  const auto start = is_timed_ ? Clock::now() : Clock::time_point{};
  const double penalty = updater_->update(learning_rate, t, trainable_arenas());
  result.loss_sum += penalty * static_cast<double>(batch.samples);
  penalty_.reset();
  if (is_timed_) {
    update_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    ++updates_;
  }
  return result;
}

nn::StepResult CpuExecutor::evaluate(const nn::Batch& batch, std::span<float> outputs) {
  check(batch);
  const ThreadScope scope(threads_);
  Program& program = programs_.evaluation(batch.samples);
  nn::StepResult result = program.run(outputs.empty() ? Part::loss : Part::both, batch, is_timed_);
  if (!outputs.empty()) copy_outputs(program, batch.samples, outputs);
  if (!penalty_) penalty_ = updater_->penalty(parameters_.as<float>());
  result.loss_sum += *penalty_ * static_cast<double>(batch.samples);
  return result;
}

void CpuExecutor::predict(const nn::Batch& batch, std::span<float> outputs) {
  check(batch);
  const ThreadScope scope(threads_);
  Program& program = programs_.evaluation(batch.samples);
  program.run(Part::output, batch, is_timed_);
  copy_outputs(program, batch.samples, outputs);
}

void CpuExecutor::copy_outputs(const Program& program, std::int64_t samples,
                               std::span<float> outputs) const {
  const std::int64_t count = samples * program.output_width();
  MILLRACE_CHECK(static_cast<std::int64_t>(outputs.size()) >= count, "outputs of ", samples,
                 " samples are ", count, " values, not ", outputs.size());
  std::copy_n(program.output(), count, outputs.begin());
}

const Buffer& CpuExecutor::buffer(nn::Arena arena, std::size_t values) const {
  check_allocated();
  const auto memory_of = [&]() -> const Buffer& {
    switch (arena) {
      case nn::Arena::parameters: return parameters_;
      case nn::Arena::gradients: return gradients_;
      case nn::Arena::first_moment: return first_moment_;
      case nn::Arena::second_moment: return second_moment_;
      case nn::Arena::masks: break;
    }
    return masks_;
  };
  const Buffer& memory = memory_of();
  if (memory.size() == 0) {
    throw Error(concat("cpu: the model '", model_.name, "' was compiled without this arena; ",
                       "a second moment is Adam's only, masks are kept on request"));
  }
  const std::int64_t expected = layouts_.outside_elements(arena != nn::Arena::parameters);
  MILLRACE_CHECK(static_cast<std::int64_t>(values) == expected, "the arena has ", expected,
                 " values, not ", values);
  return memory;
}

void CpuExecutor::read(nn::Arena arena, std::span<float> values) const {
  const ThreadScope scope(threads_);
  const Buffer& memory = buffer(arena, values.size());
  layouts_.read(engine_, memory.data(), arena != nn::Arena::parameters, values);
}

void CpuExecutor::write(nn::Arena arena, std::span<const float> values) {
  const ThreadScope scope(threads_);
  const Buffer& memory = buffer(arena, values.size());
  layouts_.write(engine_, values, arena != nn::Arena::parameters, memory.data());
  penalty_.reset();
}

std::vector<nn::OpTiming> CpuExecutor::timings() const {
  std::vector<nn::OpTiming> result = programs_.timings();
  if (options_.training) {
    result.push_back({"update", "millrace:update", update_seconds_, updates_});
  }
  return result;
}

void CpuExecutor::reset_timings(bool enabled) {
  is_timed_ = enabled;
  update_seconds_ = 0;
  updates_ = 0;
  programs_.reset_timings();
}

}  // namespace

std::unique_ptr<nn::Executor> make_executor(const nn::Model& model,
                                            const nn::CompileOptions& options,
                                            const EngineOptions& engine) {
  return std::make_unique<CpuExecutor>(model, options, engine);
}

}  // namespace millrace::cpu
