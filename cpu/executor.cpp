#include <millrace/cpu/executor.h>

#include <millrace/core/error.h>
#include <millrace/cpu/programs.h>
#include <millrace/cpu/team.h>
#include <millrace/cpu/update.h>

#include <algorithm>
#include <chrono>
#include <numeric>
#include <optional>
#include <utility>

namespace millrace::cpu {
namespace {

class CpuExecutor : public nn::Executor {
 public:
  CpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
              const EngineOptions& engine, std::shared_ptr<Timings> timings);

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
  void run_bare(const nn::Batch& batch);

 private:
  /// Compiles the programs so that memory() stays below the limit, if it can.
  void compile(const EngineOptions& engine);
  void plan_memory();
  void check(const nn::Batch& batch) const;
  void check_allocated() const;
  /// Forward, loss and backward of the data alone; leaves each part's gradients.
  nn::StepResult differentiate(const nn::Batch& batch);
  /// Runs the programs of a batch's parts, and copies their outputs unless there is no place.
  nn::StepResult run(const Programs::Parts& parts, Part part, const nn::Batch& batch,
                     std::span<float> outputs = {});
  /// Calls body(part, its rows of the batch) on the threads that compute.
  template <class Body>
  void for_each_part(const nn::Batch& batch, Body&& body);
  /// How many there are samples for.
  [[nodiscard]] std::int64_t active_parts(const nn::Batch& batch) const {
    return std::min(parts_, batch.samples);
  }
  [[nodiscard]] std::int64_t first_row(const nn::Batch& batch, std::int64_t part) const {
    return batch.samples * part / active_parts(batch);
  }
  [[nodiscard]] FlatArenas trainable_arenas() const;
  [[nodiscard]] const Buffer& buffer(nn::Arena arena, std::size_t values) const;

  nn::Model model_;
  nn::CompileOptions options_;
  int threads_;
  std::int64_t parts_ = 1;  // of a batch
  Team team_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  std::optional<Tuner> tuner_;
  ParameterLayouts layouts_;
  std::optional<Programs> programs_;  // once compile() has come to an end
  std::optional<Updater> updater_;    // once the layouts are placed
  Bytes parameter_bytes_, gradient_bytes_, state_bytes_, mask_bytes_;
  Buffer parameters_, first_moment_, second_moment_, masks_;
  struct PartMemory {
    Buffer gradients, activations, scratch;
  };
  std::vector<PartMemory> memory_;         // one a part
  std::vector<std::uint64_t> draws_;       // of a batch that names none
  std::vector<nn::StepResult> results_;    // of the parts of a step
  std::vector<PartialGradients> partial_;  // likewise
  std::size_t active_parts_ = 1;           // that the last batch had samples for
  std::optional<double> penalty_;          // of the weights as they are, if it is known
  bool masks_updates_ = true;
  bool is_timed_ = false;
  double update_seconds_ = 0;
  std::int64_t updates_ = 0;
};

nn::CompileOptions checked(const nn::CompileOptions& options) {
  nn::validate(options);
  return options;
}

/// In how many parts a batch is computed: one a thread, unless that changes what is computed, or
/// costs more memory for gradients than it is worth.
std::int64_t parts_of(const nn::Model& model, const nn::CompileOptions& options,
                      const EngineOptions& engine) {
  constexpr std::int64_t kMostElements = std::int64_t{64} << 20;  // 256 MiB of gradients
  if (engine.sharing == Sharing::together || has_batch_statistics(model)) return 1;
  const std::int64_t parts = std::min<std::int64_t>(engine.threads, options.batch);
  const std::int64_t gradients =
      options.training ? nn::trainable_elements(nn::parameters(model)) : 0;
  return (parts - 1) * gradients > kMostElements ? 1 : parts;
}

CpuExecutor::CpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
                         const EngineOptions& engine, std::shared_ptr<Timings> timings)
    : model_(model),
      options_(checked(options)),
      threads_(engine.threads),
      parts_(parts_of(model_, options_, engine)),
      team_(threads_, parts_ > 1),
      layouts_(nn::parameters(model)),
      draws_(static_cast<std::size_t>(options_.batch)),
      results_(static_cast<std::size_t>(parts_)) {
  std::iota(draws_.begin(), draws_.end(), std::uint64_t{0});
  if (timings != nullptr) tuner_.emplace(std::move(timings), engine.on_timing);
  compile(engine);
  updater_.emplace(options_.optimizer, options_.gradient, layouts_, team_);
}

void CpuExecutor::compile(const EngineOptions& engine) {
  Programs::How how{.threads = parts_ > 1 ? 1 : threads_,
                    .parts = parts_,
                    .algorithms = engine.algorithms,
                    .tuner = tuner_ ? &*tuner_ : nullptr};
  for (;;) {
    layouts_ = ParameterLayouts(nn::parameters(model_));
    programs_.emplace(model_, options_, how, engine_, layouts_);
    plan_memory();
    const Bytes scratch = programs_->scratch();
    const bool fits = engine.memory_limit.count == 0 || nn::total(memory()) <= engine.memory_limit;
    // Scratch that stays although less was asked for belongs to an operation without another way.
    if (fits || scratch.count == 0 || scratch > how.most_scratch) break;
    how.most_scratch = Bytes{scratch.count - 1};
  }
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
  const auto parts = static_cast<std::uint64_t>(parts_);
  std::vector<nn::MemoryLine> lines{{"parameters", parameter_bytes_},
                                    {"gradients", parts * gradient_bytes_},
                                    {"optimizer state", state_bytes_}};
  if (mask_bytes_.count > 0) lines.push_back({"masks", mask_bytes_});
  lines.push_back({"activations", parts * programs_->activations()});
  lines.push_back({"scratch", parts * programs_->scratch()});
  return lines;
}

void CpuExecutor::allocate() {
  const int states = options_.training ? nn::state_arenas(options_.optimizer) : 0;
  parameters_ = Buffer(parameter_bytes_);
  if (states >= 1) first_moment_ = Buffer(gradient_bytes_);
  if (states >= 2) second_moment_ = Buffer(gradient_bytes_);
  masks_ = Buffer(mask_bytes_);
  std::ranges::fill(masks_.as<float>(), 1.0F);
  std::vector<Arenas> arenas;
  for (std::int64_t i = 0; i < parts_; ++i) {
    const PartMemory& part = memory_.emplace_back(PartMemory{
        Buffer(gradient_bytes_), Buffer(programs_->activations()), Buffer(programs_->scratch())});
    arenas.push_back(
        {parameters_.data(), part.gradients.data(), part.activations.data(), part.scratch.data()});
    partial_.push_back({part.gradients.as<float>(), 1});
  }
  programs_->bind(std::move(arenas));
  penalty_.reset();
  masks_updates_ = true;
}

void CpuExecutor::release() {
  programs_->unbind();
  memory_.clear();
  partial_.clear();
  for (Buffer* memory : {&parameters_, &first_moment_, &second_moment_, &masks_}) {
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

template <class Body>
void CpuExecutor::for_each_part(const nn::Batch& batch, Body&& body) {
  nn::Batch all = batch;
  if (all.draws.empty()) all.draws = draws_;  // a part's do not begin at 0
  if (parts_ == 1) {
    const ThreadScope scope(threads_);
    return body(0, all);
  }
  team_.for_each(active_parts(batch), [&](std::int64_t i) {
    const std::int64_t first = first_row(batch, i);
    body(i, nn::slice(all, first, first_row(batch, i + 1) - first));
  });
}

nn::StepResult CpuExecutor::run(const Programs::Parts& parts, Part part, const nn::Batch& batch,
                                std::span<float> outputs) {
  const std::int64_t width = outputs.empty() ? 0 : parts.front()->output_width();
  const auto needed = static_cast<std::size_t>(batch.samples * width);
  MILLRACE_CHECK(outputs.size() >= needed, "outputs of ", batch.samples, " samples are ", needed,
                 " values, not ", outputs.size());
  for_each_part(batch, [&](std::int64_t i, const nn::Batch& rows) {
    Program& program = *parts[static_cast<std::size_t>(i)];
    results_[static_cast<std::size_t>(i)] = program.run(part, rows, is_timed_);
    if (width == 0) return;
    std::copy_n(program.output(), rows.samples * width,
                outputs.begin() + first_row(batch, i) * width);
  });
  nn::StepResult sum;
  for (std::int64_t i = 0; i < active_parts(batch); ++i) {
    sum += results_[static_cast<std::size_t>(i)];
  }
  return sum;
}

void CpuExecutor::run_bare(const nn::Batch& batch) {
  check(batch);
  const Programs::Parts& parts = programs_->training(batch.samples);
  for_each_part(batch, [&](std::int64_t i, const nn::Batch& rows) {
    parts[static_cast<std::size_t>(i)]->run_bare(rows);
  });
}

nn::StepResult CpuExecutor::differentiate(const nn::Batch& batch) {
  check(batch);
  const nn::StepResult result = run(programs_->training(batch.samples), Part::loss, batch);
  active_parts_ = static_cast<std::size_t>(active_parts(batch));
  for (std::size_t i = 0; i < active_parts_; ++i) {
    partial_[i].share = static_cast<float>(static_cast<double>(results_[i].samples) /
                                           static_cast<double>(batch.samples));
  }
  return result;
}

FlatArenas CpuExecutor::trainable_arenas() const {
  const auto trainable = static_cast<std::size_t>(layouts_.trainable_elements());
  return {.weights = parameters_.as<float>().first(trainable),
          .first = first_moment_.as<float>(),
          .second = second_moment_.as<float>(),
          .masks = masks_updates_ ? masks_.as<float>() : std::span<float>(),
          .partial = std::span<const PartialGradients>(partial_).first(active_parts_)};
}

nn::StepResult CpuExecutor::gradients(const nn::Batch& batch) {
  nn::StepResult result = differentiate(batch);
  const double penalty = updater_->add_up(trainable_arenas());
  result.loss_sum += penalty * static_cast<double>(batch.samples);
  return result;
}

nn::StepResult CpuExecutor::train(const nn::Batch& batch, std::int64_t t, double learning_rate) {
  using Clock = std::chrono::steady_clock;
  nn::StepResult result = differentiate(batch);
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
  nn::StepResult result = run(programs_->evaluation(batch.samples),
                              outputs.empty() ? Part::loss : Part::both, batch, outputs);
  if (!penalty_) penalty_ = updater_->penalty(parameters_.as<float>());
  result.loss_sum += *penalty_ * static_cast<double>(batch.samples);
  return result;
}

void CpuExecutor::predict(const nn::Batch& batch, std::span<float> outputs) {
  check(batch);
  MILLRACE_CHECK(!outputs.empty(), "outputs have a place");
  run(programs_->evaluation(batch.samples), Part::output, batch, outputs);
}

const Buffer& CpuExecutor::buffer(nn::Arena arena, std::size_t values) const {
  check_allocated();
  const auto memory_of = [&]() -> const Buffer& {
    switch (arena) {
      case nn::Arena::parameters: return parameters_;
      case nn::Arena::gradients: return memory_.front().gradients;
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
  std::vector<nn::OpTiming> result = programs_->timings();
  if (options_.training) {
    result.push_back({"update", "millrace:update", update_seconds_, updates_});
  }
  return result;
}

void CpuExecutor::reset_timings(bool enabled) {
  is_timed_ = enabled;
  update_seconds_ = 0;
  updates_ = 0;
  programs_->reset_timings();
}

}  // namespace

std::unique_ptr<nn::Executor> make_executor(const nn::Model& model,
                                            const nn::CompileOptions& options,
                                            const EngineOptions& engine,
                                            std::shared_ptr<Timings> timings) {
  return std::make_unique<CpuExecutor>(model, options, engine, std::move(timings));
}

void run_bare_step(nn::Executor& executor, const nn::Batch& batch) {
  auto* const own = dynamic_cast<CpuExecutor*>(&executor);
  if (own == nullptr) throw Error("cpu: the executor is not one of this engine");
  own->run_bare(batch);
}

}  // namespace millrace::cpu
