#include <millrace/gpu/program.h>

#include <millrace/core/error.h>
#include <millrace/gpu/context.h>
#include <millrace/nn/graph.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace millrace::gpu {
namespace {

/// Addresses of bound memory.
class BoundAddresses : public Addresses {
 public:
  BoundAddresses(const std::vector<Slot>& slots, const Arenas& arenas, const InputMemory& input)
      : slots_(slots), arenas_(arenas), input_(input) {}
  [[nodiscard]] const Arenas& arenas() const override { return arenas_; }
  [[nodiscard]] const InputMemory& input() const override { return input_; }

 private:
  [[nodiscard]] std::byte* address(SlotId id) const override {
    const Slot& slot = slots_[id];
    switch (slot.place) {
      case Place::activations: return arenas_.activations + slot.offset;
      case Place::masters: return reinterpret_cast<std::byte*>(arenas_.masters) + slot.offset;
      case Place::working: return arenas_.working + slot.offset;
      case Place::gradients: return arenas_.gradients + slot.offset;
      case Place::input: break;
    }
    return static_cast<std::byte*>(input_.input);
  }

  const std::vector<Slot>& slots_;
  const Arenas& arenas_;
  const InputMemory& input_;
};

// Kernels ask of an address only whether it is there.
alignas(256) std::byte nowhere[256];

template <class T>
T* address_of_nothing() {
  return reinterpret_cast<T*>(nowhere);
}

/// Addresses of no memory: they note which slots are asked for.
class NotedAddresses : public Addresses {
 public:
  explicit NotedAddresses(std::vector<SlotId>& noted) : noted_(noted) {}
  [[nodiscard]] const Arenas& arenas() const override { return no_arenas(); }
  [[nodiscard]] const InputMemory& input() const override { return input_; }

 private:
  [[nodiscard]] std::byte* address(SlotId id) const override {
    noted_.push_back(id);
    return nowhere;
  }

  std::vector<SlotId>& noted_;
  InputMemory input_{.input = nowhere,
                     .labels = nowhere,
                     .weights = address_of_nothing<float>(),
                     .positions = address_of_nothing<std::uint64_t>(),
                     .labels_are_indices = false};  // which suits every loss
};

std::string implementation_of(const Launch& launch) {
  return concat("millrace:", launch.kernel->name);
}
std::string implementation_of(const ConvolutionCall& call) {
  return "cudnn:" + call.plan->implementation();
}
std::string implementation_of(const MatmulCall& call) {
  return "cublaslt:" + call.plan->implementation();
}

Bytes workspace_of(const Launch&) {
  return {};
}
Bytes workspace_of(const auto& call) {
  return call.plan->workspace();
}

void queue_one(Device& device, Stream& stream, const Launch& launch) {
  device.launch(stream, launch);
}
void queue_one(Device& device, Stream& stream, const auto& call) {
  device.run(stream, *call.plan, call.memory);
}
void queue_work(Device& device, Stream& stream, const Work& work) {
  std::visit([&](const auto& one) { queue_one(device, stream, one); }, work);
}

}  // namespace

const Arenas& no_arenas() {
  static const Arenas arenas{.masters = address_of_nothing<float>(),
                             .working = nowhere,
                             .gradients = nowhere,
                             .sums = address_of_nothing<float>(),
                             .given = address_of_nothing<float>(),
                             .states = {address_of_nothing<float>(), address_of_nothing<float>()},
                             .masks = address_of_nothing<float>(),
                             .average = address_of_nothing<float>(),
                             .activations = nowhere,
                             .workspace = nowhere,
                             .segments = address_of_nothing<Segment>(),
                             .partials = address_of_nothing<double>(),
                             .norms = address_of_nothing<double>(),
                             .scalars = address_of_nothing<Scalars>()};
  return arenas;
}

std::unique_ptr<StepGraph> captured(Device& device, Stream& stream,
                                    const std::function<void()>& queue) {
  device.begin_capture(stream);
  try {
    queue();
  } catch (...) {
    try {
      (void)device.end_capture(stream);
    } catch (const std::exception&) {  // what was captured is broken, as was said already
    }
    throw;
  }
  return device.end_capture(stream);
}

Program::Program(Lowered lowered)
    : batch_(lowered.batch),
      slots_(std::move(lowered.slots)),
      steps_(std::move(lowered.steps)),
      output_(lowered.output),
      output_width_(lowered.output_width),
      output_stored_(lowered.output_stored) {
  find_uses();
  plan();
}

void Program::find_uses() {
  for (Slot& slot : slots_) {
    slot.first = static_cast<int>(steps_.size());
    slot.last = -1;
  }
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    std::vector<SlotId> used;
    const Work work = steps_[i].bind(NotedAddresses(used));
    for (const SlotId id : used) {
      slots_[id].first = std::min(slots_[id].first, static_cast<int>(i));
      slots_[id].last = std::max(slots_[id].last, static_cast<int>(i));
    }
    std::visit(
        [&](const auto& one) {
          workspace_ = std::max(workspace_, workspace_of(one));
          steps_[i].implementation = implementation_of(one);
        },
        work);
  }
  if (output_ != kNoSlot) slots_[output_].last = static_cast<int>(steps_.size());
}

void Program::plan() {
  std::vector<nn::Interval> intervals;
  for (const Slot& slot : slots_) {
    const bool is_planned = slot.place == Place::activations;
    intervals.push_back(
        {.bytes = is_planned ? slot.bytes : 0, .first = slot.first, .last = slot.last});
  }
  const nn::ArenaPlan plan = nn::plan_arena(intervals);
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (intervals[i].bytes > 0) slots_[i].offset = plan.offsets[i];
  }
  activations_ = Bytes{static_cast<std::uint64_t>(plan.bytes)};
  alive_ = Bytes{static_cast<std::uint64_t>(plan.alive)};
}

void Program::bind(const Arenas& arenas) {
  unbind();
  arenas_ = arenas;
}

void Program::unbind() {
  prepared_.clear();
  arenas_ = {};
  ran_ = 0;
}

Program::Prepared& Program::prepared(const InputMemory& input) {
  const auto known = std::ranges::find_if(
      prepared_, [&](const auto& candidate) { return candidate->input == input; });
  if (known != prepared_.end()) return **known;
  auto& made = prepared_.emplace_back(std::make_unique<Prepared>());
  made->input = input;
  const BoundAddresses addresses(slots_, arenas_, made->input);
  for (const Step& step : steps_) made->work.push_back(step.bind(addresses));
  return *made;
}

void Program::queue(Device& device, Stream& stream, unsigned purposes,
                    const Prepared& prepared) const {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if ((steps_[i].purposes & purposes) != 0) queue_work(device, stream, prepared.work[i]);
  }
}

void Program::queue(Device& device, Stream& stream, unsigned purposes,
                    const InputMemory& input) const {
  MILLRACE_CHECK(arenas_.scalars != nullptr, "a program is bound before it runs");
  const BoundAddresses addresses(slots_, arenas_, input);
  for (const Step& step : steps_) {
    if ((step.purposes & purposes) != 0) queue_work(device, stream, step.bind(addresses));
  }
}

// The first run loads what libraries load late, which a capture does not allow.
void Program::run(Device& device, Stream& stream, unsigned purposes, const InputMemory& input,
                  bool graphs) {
  MILLRACE_CHECK(arenas_.scalars != nullptr, "a program is bound before it runs");
  Prepared& steps = prepared(input);
  const std::uint64_t bit = std::uint64_t{1} << purposes;
  const bool is_first = (ran_ & bit) == 0;
  ran_ |= bit;
  if (!graphs || is_first) return queue(device, stream, purposes, steps);
  auto kept = std::ranges::find(steps.captured, purposes, &Captured::purposes);
  if (kept == steps.captured.end()) {
    const auto queue_all = [&] { queue(device, stream, purposes, steps); };
    steps.captured.push_back({purposes, captured(device, stream, queue_all)});
    kept = steps.captured.end() - 1;
  }
  device.launch(stream, *kept->graph);
}

void Program::run_timed(Context& context, Stream& stream, unsigned purposes,
                        const InputMemory& input) {
  Device& device = *context.device;
  const Prepared& prepared_steps = prepared(input);
  const auto begin = device.make_event(true);
  const auto end = device.make_event(true);
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if ((step.purposes & purposes) == 0) continue;
    device.record(*begin, stream);
    queue_work(device, stream, prepared_steps.work[i]);
    device.record(*end, stream);
    context.waiter.wait(*end, step.name);
    step.seconds += device.seconds_between(*begin, *end);
    ++step.calls;
  }
}

const std::byte* Program::output() const {
  return arenas_.activations + slots_[output_].offset;
}

void Program::reset_timings() {
  for (Step& step : steps_) {
    step.seconds = 0;
    step.calls = 0;
  }
}

}  // namespace millrace::gpu
