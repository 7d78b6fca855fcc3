#include <millrace/cpu/executor.h>

#include <millrace/core/error.h>
#include <millrace/cpu/loops.h>
#include <millrace/cpu/lowering.h>
#include <millrace/cpu/parameters.h>
#include <millrace/cpu/program.h>
#include <millrace/cpu/threads.h>
#include <millrace/nn/graph.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <utility>

namespace millrace::cpu {
namespace {

using Programs = std::map<std::int64_t, std::unique_ptr<Program>>;  // by batch size

/// Batch statistics are those of the valid samples, so a training step must have no others.
bool needs_exact_size(const nn::Model& model) {
  return std::any_of(model.layers.begin(), model.layers.end(), [](const nn::Layer& layer) {
    return layer.trainable && std::holds_alternative<nn::BatchNorm>(layer.kind);
  });
}

class CpuExecutor : public nn::Executor {
 public:
  CpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
              const EngineOptions& engine);

  [[nodiscard]] const nn::Model& model() const override { return model_; }
  [[nodiscard]] std::vector<nn::MemoryLine> memory() const override;
  void allocate() override;
  nn::StepResult train(const nn::Batch& batch, std::int64_t t, double learning_rate) override;
  nn::StepResult gradients(const nn::Batch& batch) override;
  nn::StepResult evaluate(const nn::Batch& batch) override;
  void predict(const nn::Batch& batch, std::span<float> outputs) override;
  void read(nn::Arena arena, std::span<float> values) const override;
  void write(nn::Arena arena, std::span<const float> values) override;
  [[nodiscard]] std::vector<nn::OpTiming> timings() const override;
  void reset_timings(bool enabled) override;

 private:
  std::unique_ptr<Program> compile(std::int64_t batch, nn::Mode mode);
  void plan_memory();
  void check(const nn::Batch& batch) const;
  void check_allocated() const;
  Program& training_program(std::int64_t samples);
  Program& evaluation_program(std::int64_t samples);
  [[nodiscard]] Arenas arenas() const;
  [[nodiscard]] const Buffer& buffer(nn::Arena arena, std::size_t values) const;

  nn::Model model_;
  nn::CompileOptions options_;
  nn::Loss loss_;
  int threads_;
  bool winograd_;
  bool needs_exact_size_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  ParameterLayouts layouts_;
  Programs training_, evaluation_;
  Bytes parameter_bytes_, gradient_bytes_, state_bytes_, activation_bytes_, scratch_bytes_;
  Buffer parameters_, gradients_, first_moment_, second_moment_, activations_, scratch_;
  bool is_timed_ = false;
  double update_seconds_ = 0;
  std::int64_t updates_ = 0;
};

CpuExecutor::CpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
                         const EngineOptions& engine)
    : model_(model),
      options_(options),
      loss_(options.loss.value_or(nn::default_loss(model))),
      threads_(engine.threads),
      winograd_(engine.winograd),
      needs_exact_size_(needs_exact_size(model)),
      layouts_(nn::parameters(model)) {
  if (options_.training) nn::validate(options_.optimizer);
  if (options_.batch < 1) throw UsageError(concat("batch: ", options_.batch, " is no batch size"));
  std::vector<std::int64_t> sizes{options_.batch};  // first: it decides the parameters' layouts
  for (const std::int64_t other : options_.other_batches) {
    if (other < 1 || other > options_.batch) {
      throw UsageError(concat("other batches: ", other, " is not in 1 to ", options_.batch));
    }
    sizes.push_back(other);
  }
  for (const std::int64_t size : sizes) {
    if (options_.training) training_[size] = compile(size, nn::Mode::training);
    evaluation_[size] = compile(size, nn::Mode::evaluation);
  }
  plan_memory();
}

std::unique_ptr<Program> CpuExecutor::compile(std::int64_t batch, nn::Mode mode) {
  const ThreadScope scope(threads_);
  const nn::Graph graph = nn::build_graph(model_, batch, mode, loss_);
  Lowering lowering(graph, {.seed = options_.seed, .winograd = winograd_}, layouts_, engine_);
  return std::make_unique<Program>(std::move(lowering).run(), engine_);
}

void CpuExecutor::plan_memory() {
  layouts_.place();
  const auto bytes = [](std::int64_t elements) {
    return Bytes{static_cast<std::uint64_t>(elements) * sizeof(float)};
  };
  parameter_bytes_ = bytes(layouts_.elements());
  if (options_.training) {
    gradient_bytes_ = bytes(layouts_.trainable_elements());
    state_bytes_ =
        static_cast<std::uint64_t>(nn::state_arenas(options_.optimizer)) * gradient_bytes_;
  }
  for (const Programs* programs : {&training_, &evaluation_}) {
    for (const auto& [size, program] : *programs) {
      activation_bytes_ = std::max(activation_bytes_, program->activations());
      scratch_bytes_ = std::max(scratch_bytes_, program->scratch());
    }
  }
}

std::vector<nn::MemoryLine> CpuExecutor::memory() const {
  return {{"parameters", parameter_bytes_},
          {"gradients", gradient_bytes_},
          {"optimizer state", state_bytes_},
          {"activations", activation_bytes_},
          {"scratch", scratch_bytes_}};
}

void CpuExecutor::allocate() {
  const int states = options_.training ? nn::state_arenas(options_.optimizer) : 0;
  parameters_ = Buffer(parameter_bytes_);
  gradients_ = Buffer(gradient_bytes_);
  if (states >= 1) first_moment_ = Buffer(gradient_bytes_);
  if (states >= 2) second_moment_ = Buffer(gradient_bytes_);
  activations_ = Buffer(activation_bytes_);
  scratch_ = Buffer(scratch_bytes_);
  for (Programs* programs : {&training_, &evaluation_}) {
    for (auto& [size, program] : *programs) program->bind(arenas(), layouts_);
  }
}

Arenas CpuExecutor::arenas() const {
  return {parameters_.data(), gradients_.data(), activations_.data(), scratch_.data()};
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

Program& CpuExecutor::training_program(std::int64_t samples) {
  if (!options_.training) {
    throw Error("cpu: the model was compiled without training; set CompileOptions::training");
  }
  const auto fitting = training_.lower_bound(samples);
  if (!needs_exact_size_ || fitting->first == samples) return *fitting->second;
  auto program = compile(samples, nn::Mode::training);
  if (program->activations() > activation_bytes_ || program->scratch() > scratch_bytes_) {
    throw Error(concat("cpu: a step of ", samples, " samples needs more memory than was planned; ",
                       "name ", samples, " in CompileOptions::other_batches"));
  }
  program->bind(arenas(), layouts_);
  return *(training_[samples] = std::move(program));
}

Program& CpuExecutor::evaluation_program(std::int64_t samples) {
  return *evaluation_.lower_bound(samples)->second;
}

nn::StepResult CpuExecutor::gradients(const nn::Batch& batch) {
  check(batch);
  const ThreadScope scope(threads_);
  return training_program(batch.samples).run(Part::loss, batch, is_timed_);
}

nn::StepResult CpuExecutor::train(const nn::Batch& batch, std::int64_t t, double learning_rate) {
  using Clock = std::chrono::steady_clock;
  const nn::StepResult result = gradients(batch);
  const ThreadScope scope(threads_);
  const auto start = is_timed_ ? Clock::now() : Clock::time_point{};
  const auto trainable = static_cast<std::size_t>(layouts_.trainable_elements());
  update_arenas(options_.optimizer, learning_rate, t, parameters_.as<float>().first(trainable),
                gradients_.as<float>(), first_moment_.as<float>(), second_moment_.as<float>());
  if (is_timed_) {
    update_seconds_ += std::chrono::duration<double>(Clock::now() - start).count();
    ++updates_;
  }
  return result;
}

nn::StepResult CpuExecutor::evaluate(const nn::Batch& batch) {
  check(batch);
  const ThreadScope scope(threads_);
  return evaluation_program(batch.samples).run(Part::loss, batch, is_timed_);
}

void CpuExecutor::predict(const nn::Batch& batch, std::span<float> outputs) {
  check(batch);
  const ThreadScope scope(threads_);
  Program& program = evaluation_program(batch.samples);
  const std::int64_t count = batch.samples * program.output_width();
  MILLRACE_CHECK(static_cast<std::int64_t>(outputs.size()) >= count, "predict writes ", count,
                 " values, into ", outputs.size());
  program.run(Part::output, batch, is_timed_);
  std::copy_n(program.output(), count, outputs.begin());
}

const Buffer& CpuExecutor::buffer(nn::Arena arena, std::size_t values) const {
  check_allocated();
  const bool is_parameters = arena == nn::Arena::parameters;
  const Buffer& memory = is_parameters                      ? parameters_
                         : arena == nn::Arena::gradients    ? gradients_
                         : arena == nn::Arena::first_moment ? first_moment_
                                                            : second_moment_;
  if (memory.size() == 0) {
    throw Error("cpu: this model keeps no such arena; a second moment is Adam's only");
  }
  const std::int64_t expected = layouts_.outside_elements(!is_parameters);
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
}

std::vector<nn::OpTiming> CpuExecutor::timings() const {
  std::vector<nn::OpTiming> result;
  const auto add = [&](const nn::OpTiming& timing) {
    const auto same = std::find_if(result.begin(), result.end(), [&](const nn::OpTiming& other) {
      return other.name == timing.name && other.implementation == timing.implementation;
    });
    if (same == result.end()) return result.push_back(timing);
    same->seconds += timing.seconds;
    same->calls += timing.calls;
  };
  for (const Programs* programs : {&training_, &evaluation_}) {
    for (const auto& [size, program] : *programs) {
      for (const Step& step : program->steps()) {
        add({step.name, step.implementation, step.seconds, step.calls});
      }
    }
  }
  if (options_.training) add({"update", "millrace:update", update_seconds_, updates_});
  return result;
}

void CpuExecutor::reset_timings(bool enabled) {
  is_timed_ = enabled;
  update_seconds_ = 0;
  updates_ = 0;
  for (const Programs* programs : {&training_, &evaluation_}) {
    for (const auto& [size, program] : *programs) program->reset_timings();
  }
}

}  // namespace

std::unique_ptr<nn::Executor> make_executor(const nn::Model& model,
                                            const nn::CompileOptions& options,
                                            const EngineOptions& engine) {
  return std::make_unique<CpuExecutor>(model, options, engine);
}

}  // namespace millrace::cpu
