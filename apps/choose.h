#pragma once
// What `train` chooses where the user does not say: written into the options, so that what is
// printed, run and saved is one and the same.

#include "apps/data.h"

#include <millrace/io/decode.h>
#include <millrace/nn/model.h>
#include <millrace/training/train_spec.h>

#include <filesystem>
#include <optional>
#include <vector>

namespace millrace::apps {

/// Fills in size, channels, model, learning rate, device, threads of decoding, memory budget and
/// run directory. Throws UsageError for values that cannot be read.
void choose(TrainSpec& options, const Dataset& training);

/// The shape of one sample, from the options or the data set's own. Requires: choose().
[[nodiscard]] Shape sample_shape(const TrainSpec& options, const Dataset& training);

/// The classes of the model that the options name, where it has names for them and keeps its
/// output. Requires: choose().
[[nodiscard]] std::optional<KnownClasses> classes_of_model(const TrainSpec& options);

/// The model that the options describe: from the zoo, or a JSON file whose input and number of
/// classes must fit the data. Throws UsageError or Error.
[[nodiscard]] nn::Model make_model(const TrainSpec& options, const Dataset& training);

/// How much memory decoding may take, for the decoders of one pipeline: each of `threads` has up to
/// 32 MiB for a file and 32 MiB for an image, within a sixteenth of the budget; what is larger
/// takes turns for a sixteenth (files) and three sixteenths (images) of it, or for as much as a
/// image of `max_pixels` takes. Images are read as `preprocessing` has it.
[[nodiscard]] DecoderOptions decoder_options(Bytes budget, int threads, std::uint64_t max_pixels,
                                             const nn::Preprocessing& preprocessing);

/// How many samples a ticket names: enough that a hop does not show beside its work.
[[nodiscard]] std::uint32_t ticket_samples(const Shape& sample);

}  // namespace millrace::apps
