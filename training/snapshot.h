#pragma once
// Copies of a training run at a moment, for observers that write files during the next step.

#include <millrace/pipeline/pool.h>
#include <millrace/training/training_state.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace millrace {

/// A slot of a pool. Its arrays keep their memory from one use to the next.
struct Snapshot {
  Checkpoint checkpoint;     ///< the parameters, and, if `is_whole`, all else of the run
  bool is_whole = false;     ///< can be continued from
  bool is_unfrozen = false;  ///< TrainingState::is_unfrozen(): what order the parameters have
  bool is_last = false;      ///< training was finished at this step, maybe within an epoch
  std::uint64_t step = 0;    ///< training steps
  /// As nn::Executor::read(Arena::parameters) gives them; where not `is_whole`, with averages in
  /// the place of weights.
  [[nodiscard]] std::span<const float> parameters() const {
    return checkpoint.arrays.at("parameters");
  }
  /// Where averages are evaluated and saved instead, and not among parameters() already: those of
  /// the trainable parameters, which come first there. Else empty.
  [[nodiscard]] std::span<const float> averages() const;
};

/// What has state that a checkpoint must hold: callbacks, pruning. Names of values and arrays begin
/// with a word of their own.
class Saved {
 public:
  virtual ~Saved() = default;
  virtual void save(Checkpoint& checkpoint) const = 0;
  /// Throws Error.
  virtual void restore(const Checkpoint& checkpoint) = 0;
  /// Memory of the arrays that save() writes.
  [[nodiscard]] virtual Bytes array_bytes() const { return {}; }
};

using SavedParts = std::vector<std::shared_ptr<Saved>>;

/// All of a run at this moment. Requires: the engine's thread, or no run.
void save(const TrainingState& state, const SavedParts& parts, Checkpoint& checkpoint);
/// The parts in their order, then the state: a part that finds the checkpoint to be of something
/// else throws before anything is changed.
void restore(TrainingState& state, const SavedParts& parts, const Checkpoint& checkpoint);

/// Makes the slots: arrays of the right size.
struct SnapshotFactory {
  std::shared_ptr<const TrainingState> state;
  SavedParts parts;
  bool is_whole = true;

  [[nodiscard]] Snapshot operator()() const;
  [[nodiscard]] Bytes bytes() const;
};

}  // namespace millrace
