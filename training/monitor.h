#pragma once
// Callbacks that watch one figure of each epoch: early stopping, the learning rate on a plateau,
// keeping the best. A checkpoint keeps the best with the name of the figure: a run that
// resumes with another figure, or with a new callback, resets its best.

#include <millrace/nn/monitor.h>
#include <millrace/training/callback.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace millrace {

/// What is watched: a name of EpochRecord::value. All callbacks throw Error for an epoch that has
/// no such figure, naming what there is, and for a measure that is not defined for its validation
/// samples: NaN though their loss is a number.
struct Monitor {
  std::string name = "val_loss";
  nn::Direction direction = nn::Direction::automatic;  ///< which way is better
};

/// What track_best() watched when the checkpoint was saved. Nothing if a program wrote it that
/// did not say: then callbacks take it for what they watch, unless set_watched() says better.
[[nodiscard]] std::optional<Monitor> watched(const Checkpoint& checkpoint);
/// Says it for all callbacks of the checkpoint. Throws UsageError: a name whose direction is not
/// known.
void set_watched(const Monitor& monitor, Checkpoint& checkpoint);
/// For all callbacks: there was no best yet.
void forget_best(Checkpoint& checkpoint);
/// How early stopping ended the run of a checkpoint.
struct EarlyStop {
  std::uint32_t wait = 0;  ///< epochs in a row without improvement: more patience resumes the run
  bool counts = true;      ///< false: another figure is watched now, so there was no best yet
};
/// Nothing if it was not early stopping that ended it, or nothing did. `monitor` is what is
/// watched from there on.
[[nodiscard]] std::optional<EarlyStop> early_stop_of(const Checkpoint& checkpoint,
                                                     const Monitor& monitor);
/// Whether both watch the same figure in the same direction. Throws as set_watched().
[[nodiscard]] bool is_same(const Monitor& one, const Monitor& other);

/// Keras's EarlyStopping. With `restores_best` it keeps a copy of the best weights and puts them
/// back at the end, also if training ran to its last epoch; a best of which the checkpoint holds
/// no weights is reset. Options' direction is the monitor's.
/// Throws UsageError, here and below: options out of range, a name whose direction is not known.
[[nodiscard]] std::shared_ptr<Callback> early_stopping(const Monitor& monitor,
                                                       nn::EarlyStoppingOptions options,
                                                       bool restores_best, const nn::Model& model);

/// Keras's ReduceLROnPlateau: lowers TrainingState::rate_factor.
[[nodiscard]] std::shared_ptr<Callback> reduce_on_plateau(const Monitor& monitor,
                                                          nn::ReduceOnPlateauOptions options);

/// Sets EpochRecord::is_best where the figure is better than in all epochs before.
[[nodiscard]] std::shared_ptr<Callback> track_best(const Monitor& monitor);

}  // namespace millrace
