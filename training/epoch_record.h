#pragma once
// The figures of an epoch after its last batch: a row of metrics.csv.

#include <millrace/nn/loss.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {

struct EpochRecord {
  std::uint32_t epoch = 0;  ///< from 0
  nn::StepResult training;
  std::optional<nn::StepResult> validation;
  std::int64_t holes = 0;         ///< samples left out
  double learning_rate = 0;       ///< of the last step
  std::uint64_t global_step = 0;  ///< training steps so far
  double training_s = 0;          ///< from the start to the last training step
  double seconds = 0;             ///< of the epoch
  bool has_accuracy = true;       ///< false: right answers mean nothing, and are not shown
  bool is_best = false;           ///< better than all before it, where something is monitored
  /// What else was measured, by name and in the order of columns: "val_auc", "sparsity dense1";
  /// with a loss scale "loss_scale" and "skipped_steps", the steps of the run so far that
  /// overflowed.
  std::vector<std::pair<std::string, double>> extra;

  /// A number by the name that callbacks monitor: "loss", "accuracy", "val_loss", "val_accuracy",
  /// "learning_rate" or one of `extra`. Nothing if there is none of this name in this epoch.
  [[nodiscard]] std::optional<double> value(std::string_view name) const;
};

/// One line of text that holds a record to the bit, for checkpoints.
[[nodiscard]] std::string to_text(const EpochRecord& record);
/// The other way. Throws Error for a line that is none.
[[nodiscard]] EpochRecord epoch_from_text(const std::string& line);

}  // namespace millrace
