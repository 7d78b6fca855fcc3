#include <millrace/cpu/program.h>

#include <millrace/core/buffer.h>
#include <millrace/cpu/kernels/update.h>
#include <millrace/cpu/team.h>
#include <millrace/nn/graph.h>

#include <algorithm>
#include <cstring>
#include <iterator>

namespace millrace::cpu {

Program::Program(Lowered lowered, const dnnl::engine& engine)
    : trains_(lowered.trains),
      batch_(lowered.batch),
      slice_(lowered.slice),
      slices_(lowered.slices),
      slots_(std::move(lowered.slots)),
      steps_(std::move(lowered.preparation)),
      input_(lowered.input),
      output_(lowered.output),
      engine_(engine),
      stream_(engine),
      preparation_(steps_.size()) {
  std::ranges::move(lowered.steps, std::back_inserter(steps_));
  plan();
}

// Lifetimes are those of roots: a view keeps the memory that it looks at.
void Program::plan() {
  sections_ = {preparation_};
  for (Slot& slot : slots_) {
    slot.first = static_cast<int>(steps_.size());
    slot.last = -1;
    if (slot.place == Place::input && slot.is_whole) reads_whole_input_ = true;
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if (steps_[i].begins_section && i > preparation_) sections_.push_back(i);
    for (const Use& use : steps_[i].uses) {
      Slot& root = slots_[slots_[use.slot].root];
      root.first = std::min(root.first, static_cast<int>(i));
      root.last = std::max(root.last, static_cast<int>(i));
    }
    scratch_.count = std::max<std::uint64_t>(scratch_.count, steps_[i].scratch.get_size());
  }
  sections_.push_back(steps_.size());
  if (output_ != kNoSlot) slots_[slots_[output_].root].last = static_cast<int>(steps_.size());

  // Where rows are copied to that cannot be read in place, as long as steps read the input.
  const Slot& input = slots_[input_];
  staging_ = slots_.size();
  slots_.push_back({.layout = input.layout,
                    .place = reads_whole_input_ ? Place::shared : Place::activations,
                    .root = staging_,
                    .first = 0,
                    .last = input.last});

  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].place != Place::prepared || slots_[i].root != i) continue;
    slots_[i].offset = static_cast<std::int64_t>(prepared_.count);
    prepared_ += Bytes{round_up(slots_[i].layout.get_size(), 64)};
  }
  activations_ = place(Place::activations, 1);
  if (slice_ == 0) {
    activations_ += prepared_;
    alive_ += prepared_;
  }
  shared_ = place(Place::shared, slices_);
}

/// Gives the slots of a place their offsets, for the rows of so many slices; returns what all take.
Bytes Program::place(Place place, std::int64_t slices) {
  std::vector<nn::Interval> intervals;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.place != place || slot.root != i) {
      intervals.push_back({});
      continue;
    }
    nn::Interval interval{.bytes = slices * static_cast<std::int64_t>(slot.layout.get_size()),
                          .first = slot.first,
                          .last = slot.last};
    for (std::size_t s = 0; place == Place::shared && s < sections(); ++s) {
      const auto [begin, end] =
          std::pair(static_cast<int>(sections_[s]), static_cast<int>(sections_[s + 1]));
      // Within a section one slice may be steps ahead of another.
      if (begin <= slot.first && slot.first < end) interval.first = begin;
      if (begin <= slot.last && slot.last < end) interval.last = end - 1;
    }
    intervals.push_back(interval);
  }
  const nn::ArenaPlan plan = nn::plan_arena(intervals);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].place == place) slots_[i].offset = plan.offsets[i];
  }
  alive_.count += static_cast<std::uint64_t>(plan.alive);
  return Bytes{static_cast<std::uint64_t>(plan.bytes)};
}

std::byte* Program::address(const Slot& slot, const Arenas& arenas,
                            const ParameterLayouts& parameters) const {
  const Slot& root = slots_[slot.root];
  switch (slot.place) {
    case Place::activations:
      return arenas.activations + (slice_ == 0 ? prepared_.count : 0) + root.offset;
    case Place::prepared: return arenas.prepared + root.offset;
    case Place::shared: {
      const auto rows = static_cast<std::int64_t>(root.layout.get_size());
      return arenas.shared + root.offset + (slot.is_whole ? 0 : slice_ * rows);
    }
    case Place::parameters:
      return arenas.parameters + parameters.offset(slot.parameter) + slot.within;
    case Place::gradients:
      return (slot.is_whole ? arenas.whole_gradients : arenas.gradients) +
             parameters.offset(slot.parameter) + slot.within;
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
    bound.memory.push_back(static_cast<std::byte*>(scratch.get_data_handle()));
  }
  for (const Step& inner : step.inner) {
    Bound& views = bound.inner.emplace_back();
    views.memory.resize(inner.uses.size());
    views.views.reserve(inner.uses.size() + 1);
    for (const Use& use : inner.uses) {
      const auto& view = views.views.emplace_back(use.layout, engine_, nullptr);
      views.arguments.push_back({use.argument, view.get()});
    }
    if (inner.scratch.get_size() == 0) continue;
    const auto& view = views.views.emplace_back(inner.scratch, engine_, scratch.get_data_handle());
    views.arguments.push_back({DNNL_ARG_SCRATCHPAD, view.get()});
  }
}

// The caller's memory is read in place; rows of a short batch are copied, because what follows them
// in the caller's memory may be anything, even nothing.
void Program::begin(const nn::Batch& rows, const nn::Batch& all) {
  run_ = {.batch = &rows,
          .samples = all.samples,
          .share = static_cast<float>(static_cast<double>(rows.samples) /
                                      static_cast<double>(all.samples)),
          .result = {}};
  const bool copies = reads_whole_input_ ? copies_rows(all) : rows.samples < batch_;
  if (!copies) return set_input(rows.input.data, all.input.data);
  const std::size_t bytes = slots_[staging_].layout.get_size();
  const std::size_t valid =
      bytes / static_cast<std::size_t>(batch_) * static_cast<std::size_t>(rows.samples);
  auto* const own = static_cast<std::byte*>(memories_[staging_].get_data_handle());
  if (valid > 0) std::memcpy(own, rows.input.data, valid);
  std::memset(own + valid, 0, bytes - valid);
  // Only what all slices copy lies slice after slice.
  set_input(own, reads_whole_input_ ? own - static_cast<std::size_t>(slice_) * bytes : nullptr);
}

void Program::set_input(const std::byte* rows, const std::byte* all) {
  const auto memory_of = [&](const Slot& slot) {
    return const_cast<std::byte*>(slot.is_whole ? all : rows);  // steps only read it
  };
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (slots_[i].place == Place::input) memories_[i].set_data_handle(memory_of(slots_[i]));
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (std::size_t use = 0; use < steps_[i].uses.size(); ++use) {
      const Slot& slot = slots_[steps_[i].uses[use].slot];
      if (slot.place == Place::input) bound_[i].memory[use] = memory_of(slot);
    }
  }
}

void Program::run_bare(std::size_t section) {
  for (std::size_t i = sections_[section]; i < sections_[section + 1]; ++i) {
    if (steps_[i].is_main_work) run_step(i, run_);
  }
}

nn::StepResult Program::run(std::size_t section, Wanted wanted, bool timed) {
  run_.result = {};
  for (std::size_t i = sections_[section]; i < sections_[section + 1]; ++i) {
    const Step& step = steps_[i];
    if (wanted != Wanted::both && step.wanted != Wanted::both && step.wanted != wanted) continue;
    run_timed(i, timed);
  }
  return run_.result;
}

void Program::prepare(bool timed) {
  for (std::size_t i = 0; i < preparation_; ++i) run_timed(i, timed);
}

void Program::run_timed(std::size_t index, bool timed) {
  const double start = timed ? compute_time() : 0;
  run_step(index, run_);
  if (!timed) return;
  steps_[index].seconds += compute_time() - start;
  ++steps_[index].calls;
}

void Program::run_step(std::size_t index, Run& run) {
  const Step& step = steps_[index];
  if (!step.inner.empty()) {
    run_rounds(step, bound_[index]);
  } else if (step.loop) {
    step.loop(bound_[index].memory, run);
  } else {
    onednn::execute(step.primitive, stream_, bound_[index].arguments, step.name);
  }
}

void Program::run_rounds(const Step& step, Bound& bound) {
  const auto begin_of = [this](SlotId slot) {
    return static_cast<std::byte*>(memories_[slot].get_data_handle());
  };
  for (std::int64_t round = 0; round < step.rounds; ++round) {
    for (std::size_t i = 0; i < step.inner.size(); ++i) {
      const Step& inner = step.inner[i];
      for (std::size_t u = 0; u < inner.uses.size(); ++u) {
        const Use& use = inner.uses[u];
        const bool is_partial = use.partial != kNoSlot && round > 0;
        bound.inner[i].views[u].set_data_handle(begin_of(is_partial ? use.partial : use.slot) +
                                                static_cast<std::size_t>(round) * use.stride);
      }
      if (inner.loop) {
        for (std::size_t u = 0; u < inner.uses.size(); ++u) {
          bound.inner[i].memory[u] =
              static_cast<std::byte*>(bound.inner[i].views[u].get_data_handle());
        }
        inner.loop(bound.inner[i].memory, run_);
      } else {
        onednn::execute(inner.primitive, stream_, bound.inner[i].arguments, inner.name);
      }
      for (const Use& use : inner.uses) {
        if (use.partial == kNoSlot || round == 0) continue;
        const std::size_t count = use.layout.get_size() / sizeof(float);
        add({reinterpret_cast<float*>(begin_of(use.slot)), count},
            {reinterpret_cast<const float*>(begin_of(use.partial)), count});
      }
    }
  }
}

std::int64_t Program::output_width() const {
  return onednn::dims(slots_[output_].layout)[1];
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
