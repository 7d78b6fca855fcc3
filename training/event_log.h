#pragma once
// The curves of a run for TensorBoard: which values are written, under which tags and at which
// steps. They are those of Keras's TensorBoard callback and of tfmot's PruningSummaries, so that
// runs of either can be overlaid. `tensorboard --logdir RUN/events` shows them.

#include <millrace/io/events.h>
#include <millrace/training/train_step.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace millrace {

/// Writes event files into folders below `folder`; a folder is made with its first value.
///
///   train       epoch_loss, epoch_accuracy, epoch_learning_rate and epoch_<other measure> at the
///               epoch, counted from 0; batch_loss and batch_accuracy of the epoch so far, at the
///               step, counted from 1
///   validation  the same epoch_* of validation, and evaluation_<measure>_vs_iterations at the
///               step; nothing of accuracy where right answers mean nothing
///   metrics     <tensor>/sparsity and <tensor>/threshold of pruning, at the step
///
/// Thread safety: none; an observer's thread.
class EventLog {
 public:
  /// Batches are logged every `batch_interval` steps; 0: never.
  explicit EventLog(std::filesystem::path folder, std::uint64_t batch_interval = 0);

  /// All of them throw Error (disk).
  void step(const StepRecord& record);
  void epoch(const EpochRecord& record);
  /// A PNG file of samples as the network will see them, as image "augmented" of the run `train`.
  /// Before the first step.
  void contact_sheet(std::span<const std::byte> png, int height, int width);

 private:
  EventWriter& run(const std::string& name);

  std::filesystem::path folder_;
  std::uint64_t batch_interval_;
  std::optional<std::uint64_t> pruning_step_;  // that was written last
  std::map<std::string, EventWriter> runs_;
};

}  // namespace millrace
