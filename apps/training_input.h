#pragma once
// What a training run reads, as its options say: in which order, into which batches, fed in which
// way.

#include "apps/training.h"

#include <memory>

namespace millrace::apps {

/// What becomes of an image that cannot be read.
[[nodiscard]] OnError bad_image_policy(const TrainSpec& options);

/// Throws UsageError for what --resident and --replay cannot go with; before a model is there.
/// `engine`: one that was given, or null: then the options name one.
void check_feed(const TrainSpec& options, const nn::Engine* engine);

/// Of a run with data, model and engine. Throws as the feed does.
[[nodiscard]] std::shared_ptr<Feed> make_feed(const Training& training);

}  // namespace millrace::apps
