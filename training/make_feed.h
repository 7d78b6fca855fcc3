#pragma once
// The feed of a training run by its spec: order, batches and kind of feed.

#include <millrace/training/training.h>

#include <memory>

namespace millrace {

/// What becomes of an image that cannot be read.
[[nodiscard]] OnError bad_image_policy(const TrainSpec& options);

/// Throws UsageError for what --resident and --replay cannot go with; before a model is there.
/// `engine`: one that was given, or null: then the options name one.
void check_feed(const TrainSpec& options, const nn::Engine* engine);

/// Of a run with data, model and engine, up to the epoch from which on frozen layers train. Throws
/// as the feed does.
[[nodiscard]] std::shared_ptr<Feed> make_feed(const Training& training);
/// From that epoch on, where the first one is of features; else null.
[[nodiscard]] std::shared_ptr<Feed> make_later_feed(const Training& training);

}  // namespace millrace
