#include <millrace/training/snapshot.h>

namespace millrace {

std::span<const float> Snapshot::averages() const {
  const auto found = checkpoint.arrays.find(kAverage);
  if (!is_whole || found == checkpoint.arrays.end()) return {};
  return found->second;
}

void save(const TrainingState& state, const SavedParts& parts, Checkpoint& checkpoint) {
  checkpoint.values.clear();
  state.save(checkpoint);
  for (const auto& part : parts) part->save(checkpoint);
}

void restore(TrainingState& state, const SavedParts& parts, const Checkpoint& checkpoint) {
  for (const auto& part : parts) part->restore(checkpoint);
  state.restore(checkpoint);
}

Snapshot SnapshotFactory::operator()() const {
  Snapshot snapshot;
  const std::vector<nn::Parameter> parameters = nn::parameters(state->executor->model());
  snapshot.checkpoint.arrays["parameters"].resize(
      static_cast<std::size_t>(nn::arena_elements(parameters)));
  if (is_whole) save(*state, parts, snapshot.checkpoint);
  return snapshot;
}

Bytes SnapshotFactory::bytes() const {
  if (!is_whole) {
    const std::vector<nn::Parameter> parameters = nn::parameters(state->executor->model());
    return Bytes{static_cast<std::uint64_t>(nn::arena_elements(parameters)) * sizeof(float)};
  }
  Bytes sum = state->array_bytes();
  for (const auto& part : parts) sum += part->array_bytes();
  return sum;
}

}  // namespace millrace
