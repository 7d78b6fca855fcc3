#include <millrace/core/error.h>
#include <millrace/cpu/executor.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace millrace::cpu {

CpuExecutor::CpuExecutor(const nn::Model& model, const nn::CompileOptions& options,
                         const EngineOptions& engine, std::shared_ptr<Timings> timings)
    : model_(model),
      options_(options),
      threads_(engine.threads),
      division_(divide(model_, options_, engine.threads, engine.sharing)),
      team_(threads_, division_.slices > 1),
      layouts_(nn::parameters(model)),
      positions_(static_cast<std::size_t>(options_.batch)),
      rows_(static_cast<std::size_t>(division_.slices)),
      results_(rows_.size()) {
  std::iota(positions_.begin(), positions_.end(), std::uint64_t{0});
  if (timings != nullptr) tuner_.emplace(std::move(timings), engine.on_timing);
  compile(engine);
  updater_.emplace(options_, layouts_, team_);
}

void CpuExecutor::compile(const EngineOptions& engine) {
  Lowering::Options how{.threads = division_.slices > 1 ? 1 : threads_,
                        .division = division_,
                        .algorithms = engine.algorithms,
                        .tuner = tuner_ ? &*tuner_ : nullptr};
  if (engine.memory_limit.count > 0) {  // what can never fit is not tried either
    how.most_scratch = Bytes{engine.memory_limit.count / rows_.size()};
  }
  for (;;) {
    layouts_ = ParameterLayouts(nn::parameters(model_));
    programs_.emplace(model_, options_, how, engine_, layouts_);
    if (how.tuner != nullptr && how.tuner->take_guesses() > 0 && !pays_to_time(options_)) {
      how.algorithms = Algorithms::direct;  // all of it, as without a tuner
      how.tuner = nullptr;
      continue;
    }
    plan_memory();
    const Bytes scratch = programs_->scratch();
    const bool fits = engine.memory_limit.count == 0 || nn::total(memory()) <= engine.memory_limit;
    // Scratch that stays although less was asked for belongs to an operation without another way.
    if (fits || scratch.count == 0 || scratch > how.most_scratch) break;
    how.most_scratch = Bytes{scratch.count - 1};
  }
}

void CpuExecutor::plan_memory() {
  layouts_.place(division_);
  const auto bytes = [](std::int64_t elements) {
    return Bytes{static_cast<std::uint64_t>(elements) * sizeof(float)};
  };
  parameter_bytes_ = bytes(layouts_.elements());
  if (!options_.training) return;
  gradient_bytes_ = bytes(layouts_.trainable_elements());
  divided_gradient_bytes_ = bytes(layouts_.divided_elements());
  state_bytes_ = static_cast<std::uint64_t>(nn::state_arenas(options_.optimizer)) * gradient_bytes_;
  if (options_.masks) mask_bytes_ = gradient_bytes_;
  if (options_.accumulate > 1) {
    sum_bytes_ = nn::has_batch_statistics(model_) ? parameter_bytes_ : gradient_bytes_;
  }
  if (keeps_average()) average_bytes_ = gradient_bytes_;
}

std::vector<nn::MemoryLine> CpuExecutor::memory() const {
  const auto slices = static_cast<std::uint64_t>(division_.slices);
  const Bytes all_gradients = gradient_bytes_ + (slices - 1) * divided_gradient_bytes_ + sum_bytes_;
  std::vector<nn::MemoryLine> lines{{"parameters", parameter_bytes_},
                                    {"gradients", all_gradients},
                                    {"optimizer state", state_bytes_}};
  if (mask_bytes_.count > 0) lines.push_back({"masks", mask_bytes_});
  if (average_bytes_.count > 0) lines.push_back({"average", average_bytes_});
  Bytes activations = programs_->shared();
  for (std::int64_t i = 0; i < division_.slices; ++i) activations += programs_->activations(i);
  lines.push_back({"activations", activations});
  lines.push_back({"scratch", slices * Buffer::taken(programs_->scratch())});
  return lines;
}

void CpuExecutor::allocate() {
  release();  // what an allocation that failed half-way has left
  const int states = options_.training ? nn::state_arenas(options_.optimizer) : 0;
  parameters_ = Buffer(parameter_bytes_);
  for (int i = 0; i < states; ++i) {
    states_.at(static_cast<std::size_t>(i)) = Buffer(gradient_bytes_);
  }
  masks_ = Buffer(mask_bytes_);
  sums_ = Buffer(sum_bytes_);
  averages_ = Buffer(average_bytes_);
  group_ = {};
  std::ranges::fill(averages_.as<float>(), 0.0F);
  if (sum_bytes_.count > 0) {
    group_.sums = sums_.as<float>().first(static_cast<std::size_t>(layouts_.trainable_elements()));
  }
  in_group_ = updated_ = {};
  std::ranges::fill(masks_.as<float>(), 1.0F);
  shared_ = Buffer(programs_->shared());
  std::vector<Arenas> arenas;
  for (std::int64_t i = 0; i < division_.slices; ++i) {
    const SliceMemory& slice = memory_.emplace_back(
        SliceMemory{Buffer(i == 0 ? gradient_bytes_ : divided_gradient_bytes_),
                    Buffer(programs_->activations(i)), Buffer(programs_->scratch())});
    arenas.push_back({.parameters = parameters_.data(),
                      .gradients = slice.gradients.data(),
                      .whole_gradients = memory_.front().gradients.data(),
                      .activations = slice.activations.data(),
                      .shared = shared_.data(),
                      .prepared = memory_.front().activations.data(),
                      .scratch = slice.scratch.data()});
    gradients_.push_back(slice.gradients.as<float>());
  }
  programs_->bind(std::move(arenas));
  penalty_.reset();
  prepared_ = nullptr;
  masks_updates_ = true;
  is_swapped_ = false;
  is_initialised_ = parameter_bytes_.count == 0;
}

void CpuExecutor::release() {
  programs_->unbind();
  memory_.clear();
  gradients_.clear();
  for (Buffer* memory : {&parameters_, &masks_, &shared_, &sums_, &averages_}) *memory = Buffer();
  states_ = {};
}

const Buffer& CpuExecutor::buffer(nn::Arena arena, std::size_t values) const {
  check_allocated();
  const auto memory_of = [&]() -> const Buffer& {
    switch (arena) {
      case nn::Arena::parameters: return parameters_;
      case nn::Arena::gradients: return memory_.front().gradients;
      case nn::Arena::state0:
      case nn::Arena::state1: return states_[static_cast<std::size_t>(nn::state_index(arena))];
      case nn::Arena::masks: return masks_;
      case nn::Arena::average: break;
    }
    return averages_;
  };
  const Buffer& memory = memory_of();
  if (memory.size() == 0) {
    throw Error(concat(
        "cpu: the model '", model_.name, "' was compiled without this arena; ",
        nn::to_string(options_.optimizer.kind), " keeps ", nn::state_arenas(options_.optimizer),
        " state arenas with these options, masks and an average are kept on request"));
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
  weights_have_changed();
  if (arena != nn::Arena::parameters) return;
  prepared_ = nullptr;
  is_initialised_ = true;
  const std::span<float> averages = averages_.as<float>();
  std::copy_n(parameters_.as<float>().begin(), averages.size(), averages.begin());
}

void CpuExecutor::swap_average() {
  nn::check_keeps_average(*this);
  check_allocated();
  updater_->swap_averages(trainable_arenas());
  weights_have_changed();
  is_swapped_ = !is_swapped_;
}

}  // namespace millrace::cpu
