#pragma once
// What `train` chooses where the user does not say: written into the options, so that what is
// printed, run and saved is one and the same.

#include "apps/data.h"
#include "apps/train_options.h"

#include <millrace/nn/model.h>
#include <millrace/nn/optimizer.h>

#include <filesystem>
#include <vector>

namespace millrace::apps {

/// Fills in size, channels, model, learning rate, threads, memory budget and run directory. Throws
/// UsageError for values that cannot be read.
void choose(TrainOptions& options, const Dataset& training);

/// The shape of one sample, from the options or the data set's own. Requires: choose().
[[nodiscard]] Shape sample_shape(const TrainOptions& options, const Dataset& training);

/// The model that the options describe: from the zoo, or a JSON file whose input and number of
/// classes must fit the data. Throws UsageError or Error.
[[nodiscard]] nn::Model make_model(const TrainOptions& options, const Dataset& training);

[[nodiscard]] nn::OptimizerOptions optimizer_options(const TrainOptions& options);

/// How many samples a ticket names: enough that a hop does not show beside its work.
[[nodiscard]] std::uint32_t ticket_samples(const Shape& sample);

}  // namespace millrace::apps
