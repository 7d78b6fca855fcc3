#pragma once
// What a training session refuses before it begins. Each throws UsageError that names the option.

#include <millrace/training/train_spec.h>

namespace millrace {

struct Training;

/// Ranges, and what has no effect without another option. A command line has checked its own.
void check_rows(TrainSpec& spec);

/// An old run is not replaced that this one begins with: its config.ini would name what is gone.
/// With `goes_on` it is this run itself.
void check_replaced(const TrainSpec& spec, bool goes_on);

/// The log of RunSpec::csv_log is no file that the run writes itself, and can be written.
void check_csv_log(const TrainSpec& spec);

/// A file of features has a run's directory to lie in.
void check_features(const Training& training);

}  // namespace millrace
