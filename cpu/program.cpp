#include <millrace/cpu/program.h>

#include <millrace/cpu/team.h>
#include <millrace/nn/graph.h>

#include <algorithm>
#include <cstring>

namespace millrace::cpu {

Program::Program(Lowered lowered, const dnnl::engine& engine)
    : batch_(lowered.batch),
      slots_(std::move(lowered.slots)),
      steps_(std::move(lowered.steps)),
      input_(lowered.input),
      output_(lowered.output),
      engine_(engine),
      stream_(engine) {
  plan();
}

// Lifetimes are those of roots: a view keeps the memory that it looks at.
void Program::plan() {
  for (Slot& slot : slots_) {
    slot.first = static_cast<int>(steps_.size());
    slot.last = -1;
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (const Use& use : steps_[i].uses) {
      Slot& root = slots_[slots_[use.slot].root];
      root.first = std::min(root.first, static_cast<int>(i));
      root.last = std::max(root.last, static_cast<int>(i));
    }
    scratch_.count = std::max<std::uint64_t>(scratch_.count, steps_[i].scratch.get_size());
  }
  if (output_ != kNoSlot) slots_[slots_[output_].root].last = static_cast<int>(steps_.size());

  // Where a short batch is copied to, as long as steps read the input.
  const Slot& input = slots_[input_];
  staging_ = slots_.size();
  slots_.push_back({.layout = input.layout, .root = staging_, .first = 0, .last = input.last});

  std::vector<nn::Interval> intervals;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const bool is_planned = slot.place == Place::activations && slot.root == i;
    const auto bytes = is_planned ? static_cast<std::int64_t>(slot.layout.get_size()) : 0;
    intervals.push_back({.bytes = bytes, .first = slot.first, .last = slot.last});
  }
  const nn::ArenaPlan plan = nn::plan_arena(intervals);
  for (std::size_t i = 0; i < slots_.size(); ++i) slots_[i].offset = plan.offsets[i];
  activations_ = Bytes{static_cast<std::uint64_t>(plan.bytes)};
}

std::byte* Program::address(const Slot& slot, const Arenas& arenas,
                            const ParameterLayouts& parameters) const {
  switch (slot.place) {
    case Place::activations: return arenas.activations + slots_[slot.root].offset;
    case Place::parameters: return arenas.parameters + parameters.offset(slot.parameter);
    case Place::gradients: return arenas.gradients + parameters.offset(slot.parameter);
    case Place::input: break;
  }
  return nullptr;  // given with each batch
}

void Program::bind(const Arenas& arenas, const ParameterLayouts& parameters) {
  unbind();
  memories_.reserve(slots_.size() + steps_.size());
  for (const Slot& slot : slots_) {
    memories_.emplace_back(slot.layout, engine_, address(slot, arenas, parameters));
  }
  bound_.resize(steps_.size());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const auto& scratch = memories_.emplace_back(steps_[i].scratch, engine_, arenas.scratch);
    bind_step(i, scratch);
  }
}

void Program::unbind() {
  memories_.clear();
  bound_.clear();
}

void Program::bind_step(std::size_t index, const dnnl::memory& scratch) {
  const Step& step = steps_[index];
  Bound& bound = bound_[index];
  for (const Use& use : step.uses) {
    bound.arguments.push_back({use.argument, memories_[use.slot].get()});
    bound.memory.push_back(static_cast<std::byte*>(memories_[use.slot].get_data_handle()));
  }
  if (step.scratch.get_size() > 0) {
    bound.arguments.push_back({DNNL_ARG_SCRATCHPAD, scratch.get()});
  }
}

// The caller's memory is read in place; a short batch is copied, because what follows its rows in
// the caller's memory may be anything, even nothing.
void Program::set_input(const nn::Batch& batch) {
  auto* source = const_cast<std::byte*>(batch.input.data);  // steps only read it
  if (batch.samples < batch_) {
    const Slot& staging = slots_[staging_];
    auto* const rows = static_cast<std::byte*>(memories_[staging_].get_data_handle());
    const std::size_t bytes = staging.layout.get_size();
    const std::size_t valid =
        bytes / static_cast<std::size_t>(batch_) * static_cast<std::size_t>(batch.samples);
    std::memcpy(rows, source, valid);
    std::memset(rows + valid, 0, bytes - valid);
    source = rows;
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].place == Place::input) memories_[i].set_data_handle(source);
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (std::size_t use = 0; use < steps_[i].uses.size(); ++use) {
      const SlotId slot = steps_[i].uses[use].slot;
      if (slots_[slot].place == Place::input) bound_[i].memory[use] = source;
    }
  }
}

void Program::run_bare(const nn::Batch& batch) {
  set_input(batch);
  Run run{.batch = &batch, .result = {}};
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].is_main_work) run_step(i, run);
  }
}

nn::StepResult Program::run(Part part, const nn::Batch& batch, bool timed) {
  set_input(batch);
  Run run{.batch = &batch, .result = {}};
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if (part != Part::both && step.part != Part::both && step.part != part) continue;
    if (!timed) {
      run_step(i, run);
      continue;
    }
    const double start = compute_time();
    run_step(i, run);
    step.seconds += compute_time() - start;
    ++step.calls;
  }
  return run.result;
}

void Program::run_step(std::size_t index, Run& run) {
  const Step& step = steps_[index];
  if (step.loop) {
    step.loop(bound_[index].memory, run);
  } else {
    onednn::execute(step.primitive, stream_, bound_[index].arguments, step.name);
  }
}

std::int64_t Program::output_width() const {
  return slots_[output_].layout.dims()[1];
}

void Program::reset_timings() {
  for (Step& step : steps_) {
    step.seconds = 0;
    step.calls = 0;
  }
}

const float* Program::output() const {
  return static_cast<const float*>(memories_[output_].get_data_handle());
}

}  // namespace millrace::cpu
