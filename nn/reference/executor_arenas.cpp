#include <millrace/nn/reference/executor.h>

#include <millrace/core/error.h>

#include <algorithm>

namespace millrace::nn::reference {
namespace {

const char* name_of(Arena arena) {
  switch (arena) {
    case Arena::parameters: return "parameters";
    case Arena::gradients: return "gradients";
    case Arena::state0: return "state 0";
    case Arena::state1: return "state 1";
    case Arena::masks: return "masks";
    case Arena::average: return "average";
  }
  return "?";
}

template <class ArenasOrConst>
auto& select(ArenasOrConst& arenas, Arena arena) {
  switch (arena) {
    case Arena::parameters: return arenas.parameters;
    case Arena::gradients: return arenas.gradients;
    case Arena::state0:
    case Arena::state1: return arenas.states[static_cast<std::size_t>(state_index(arena))];
    case Arena::masks: return arenas.masks;
    case Arena::average: break;
  }
  return arenas.average;
}

}  // namespace

std::vector<MemoryLine> Executor64::memory() const {
  const auto doubles = [](std::size_t count) { return Bytes{count * sizeof(double)}; };
  const auto all = static_cast<std::size_t>(arena_elements(parameters_));
  const std::uint64_t values = evaluation_.bytes() + (training_ ? training_->bytes() : 0);
  std::vector<MemoryLine> lines{
      {"parameters", doubles(all)},
      {"gradients",
       doubles(options_.training ? trainable() * (sums() ? 2 : 1) + changed_by_batches() : 0)},
      {"optimizer state", doubles(static_cast<std::size_t>(states()) * trainable())}};
  if (has_masks()) lines.push_back({"masks", doubles(trainable())});
  if (keeps_average()) lines.push_back({"average", doubles(trainable())});
  if (has_working_copies()) lines.push_back({"working copies", doubles(all)});
  lines.push_back({"activations", Bytes{values}});
  return lines;
}

void Executor64::allocate() {
  arenas_.parameters.assign(static_cast<std::size_t>(arena_elements(parameters_)), 0.0);
  is_initialised_ = arenas_.parameters.empty();
  arenas_.working.assign(has_working_copies() ? arenas_.parameters.size() : 0, 0.0);
  arenas_.gradients.assign(options_.training ? trainable() : 0, 0.0);
  arenas_.sums.assign(sums() ? trainable() : 0, 0.0);
  before_group_.assign(changed_by_batches(), 0.0);
  group_ = updated_ = {};
  for (int i = 0; i < states(); ++i)
    arenas_.states.at(static_cast<std::size_t>(i)).assign(trainable(), 0.0);
  arenas_.masks.assign(has_masks() ? trainable() : 0, 0.0);
  if (has_masks()) reference::clear_masks(arenas_, parameters_);
  arenas_.average.assign(keeps_average() ? trainable() : 0, 0.0);
  masks_updates_ = true;
  is_swapped_ = false;
  loss_scale_ = {.scale = scales_loss() ? numbers_.loss_scale.initial : 1};
  evaluation_.allocate();
  if (training_) training_->allocate();
}

void Executor64::release() {
  arenas_ = {};
  before_group_ = {};
  evaluation_.release();
  if (training_) training_->release();
}

void Executor64::require(Arena arena, std::size_t elements) const {
  const std::size_t there = select(arenas_, arena).size();
  if (there == 0 && arena != Arena::parameters) {
    throw Error(concat("no ", name_of(arena), " to read or write: ",
                       arena == Arena::masks     ? std::string("compiled without masks")
                       : arena == Arena::average ? std::string("compiled without an average")
                       : options_.training ? concat(to_string(options_.optimizer.kind), " keeps ",
                                                    states(), " state arenas with these options")
                                           : "compiled without training"));
  }
  MILLRACE_CHECK(there == elements, "the arena of ", name_of(arena), " has ", there,
                 " elements, not ", elements);
}

void Executor64::read(Arena arena, std::span<float> values) const {
  require(arena, values.size());
  const std::vector<double>& from = select(arenas_, arena);
  std::transform(from.begin(), from.end(), values.begin(),
                 [](double value) { return static_cast<float>(value); });
}

void Executor64::write(Arena arena, std::span<const float> values) {
  require(arena, values.size());
  std::copy(values.begin(), values.end(), select(arenas_, arena).begin());
  if (arena != Arena::parameters) return;
  is_initialised_ = true;
  std::copy_n(values.begin(), arenas_.average.size(), arenas_.average.begin());
}

void Executor64::swap_average() {
  check_keeps_average(*this);
  MILLRACE_CHECK(!arenas_.parameters.empty(), "allocate() comes before averages are used");
  std::swap_ranges(arenas_.average.begin(), arenas_.average.end(), arenas_.parameters.begin());
  is_swapped_ = !is_swapped_;
}

}  // namespace millrace::nn::reference
