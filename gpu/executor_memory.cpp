#include <millrace/gpu/executor_memory.h>

#include <millrace/gpu/memory_plan.h>
#include <millrace/gpu/step_group.h>
#include <millrace/gpu/update_arenas.h>

#include <algorithm>

namespace millrace::gpu {
namespace {

constexpr std::uint64_t kAlignment = 256;

std::uint64_t aligned(std::uint64_t bytes) {
  return round_up(bytes, kAlignment);
}

}  // namespace

std::uint64_t MemoryNeeds::scratch() const {
  return aligned(workspace) + aligned(sizeof(Scalars)) + aligned(segments) + aligned(partials) +
         aligned(norms) + aligned(steps);
}

std::vector<nn::MemoryLine> MemoryNeeds::lines() const {
  std::vector<nn::MemoryLine> lines{{"parameters", Bytes{parameters}}};
  const auto add = [&](const char* name, std::uint64_t bytes) {
    if (bytes > 0) lines.push_back({name, Bytes{bytes}});
  };
  add("working copies", working);
  lines.push_back({"gradients", Bytes{gradients + given + sums}});
  lines.push_back({"optimizer state", Bytes{static_cast<std::uint64_t>(states) * state}});
  add("masks", masks);
  add("average", average);
  lines.push_back({"activations", Bytes{activations}});
  lines.push_back({"scratch", Bytes{scratch()}});
  return lines;
}

MemoryNeeds memory_needs(const nn::Model& model, const Programs& programs,
                         const ParameterPlaces& parameters, const nn::CompileOptions& options,
                         nn::Precision precision) {
  const auto all = static_cast<std::uint64_t>(parameters.elements());
  const auto trainable = static_cast<std::uint64_t>(parameters.trainable_elements());
  const std::uint64_t storage = size_of(nn::storage_of(precision));
  const UpdateSize update = update_size(parameters);
  const auto segments = static_cast<std::uint64_t>(update.segments);
  MemoryNeeds needs{.parameters = all * sizeof(float),
                    .working = storage == sizeof(float) ? 0 : all * storage,
                    .activations = programs.activations().count,
                    .workspace = programs.workspace().count,
                    .segments = segments * sizeof(Segment),
                    .partials = 2 * kArenaParts * sizeof(double)};
  if (!options.training) return needs;
  needs.gradients = aligned(trainable * storage);
  needs.steps = kMostSteps * sizeof(StepNumbers);
  needs.state = trainable * sizeof(float);
  needs.states = nn::state_arenas(options.optimizer);
  if (options.gradient.l2 > 0) needs.given = trainable * sizeof(float);
  if (options.accumulate > 1) {  // behind the sums what batches change is kept
    needs.sums = aligned((nn::has_batch_statistics(model) ? all : trainable) * sizeof(float));
  }
  if (options.masks) needs.masks = trainable * sizeof(float);
  if (options.average) needs.average = trainable * sizeof(float);
  if (options.gradient.clip_norm > 0) {
    needs.norms = segments * kNormParts * sizeof(double);
  }
  // Between steps the activations are where gradients are put for the host, as float32.
  needs.activations = std::max(needs.activations, trainable * sizeof(float));
  return needs;
}

std::vector<nn::MemoryLine> plan_memory(const nn::Model& model, const nn::CompileOptions& options,
                                        nn::Precision precision, Bytes workspace) {
  AssumedPlans plans(workspace);
  return plan_memory(model, options, precision, plans);
}

std::vector<nn::MemoryLine> plan_memory(const nn::Model& model, const nn::CompileOptions& options,
                                        nn::Precision precision, Plans& plans) {
  nn::validate(options);
  const ParameterPlaces parameters(nn::parameters(model), precision);
  const Programs programs(model, options, {.precision = precision}, parameters, plans);
  return memory_needs(model, programs, parameters, options, precision).lines();
}

ExecutorMemory::ExecutorMemory(Device& device, const MemoryNeeds& needs) {
  const auto take = [&](std::uint64_t bytes, const char* what) {
    return bytes > 0 ? device.allocate(Bytes{bytes}, what) : Buffer();
  };
  parameters_ = take(needs.parameters, "parameters");
  working_ = take(needs.working, "working copies");
  gradients_ = take(needs.gradients + needs.given + needs.sums, "gradients");
  state_ = take(static_cast<std::uint64_t>(needs.states) * needs.state, "optimizer state");
  masks_ = take(needs.masks, "masks");
  average_ = take(needs.average, "average");
  activations_ = take(needs.activations, "activations");
  scratch_ = take(needs.scratch(), "scratch");

  const auto floats = [](std::byte* memory) { return reinterpret_cast<float*>(memory); };
  arenas_.masters = floats(parameters_.data());
  arenas_.working = needs.working > 0 ? working_.data() : parameters_.data();
  arenas_.gradients = gradients_.data();
  if (needs.given > 0) arenas_.given = floats(gradients_.data() + needs.gradients + needs.sums);
  if (needs.sums > 0) arenas_.sums = floats(gradients_.data() + needs.gradients);
  for (std::size_t i = 0; i < static_cast<std::size_t>(needs.states); ++i) {
    arenas_.states.at(i) = floats(state_.data() + i * needs.state);
  }
  arenas_.masks = floats(masks_.data());
  arenas_.average = floats(average_.data());
  arenas_.activations = activations_.data();
  std::byte* next = scratch_.data();
  const auto place = [&](std::uint64_t bytes) {
    std::byte* const here = bytes > 0 ? next : nullptr;
    next += aligned(bytes);
    return here;
  };
  arenas_.workspace = place(needs.workspace);
  arenas_.scalars = reinterpret_cast<Scalars*>(place(sizeof(Scalars)));
  arenas_.segments = reinterpret_cast<Segment*>(place(needs.segments));
  arenas_.partials = reinterpret_cast<double*>(place(needs.partials));
  arenas_.norms = reinterpret_cast<double*>(place(needs.norms));
  arenas_.steps = reinterpret_cast<StepNumbers*>(place(needs.steps));
}

std::vector<const Buffer*> ExecutorMemory::zeroed() const {
  std::vector<const Buffer*> blocks;
  for (const Buffer* block :
       {&parameters_, &working_, &gradients_, &state_, &masks_, &average_, &scratch_}) {
    if (block->size() > 0) blocks.push_back(block);
  }
  return blocks;
}

}  // namespace millrace::gpu
