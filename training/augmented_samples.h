#pragma once
// A contact sheet of the first samples of a run, after the loading half of a training pipeline.

#include <millrace/nodes/contact_sheet.h>
#include <millrace/training/feed.h>

#include <cstdint>
#include <stop_token>

namespace millrace {

/// The first `samples` training samples of a run (fewer if an epoch has fewer), in its order,
/// augmented and preprocessed as they will be, read from files however the run is fed. Throws as
/// Pipeline::run does, UsageError for data that are not images, Stopped.
[[nodiscard]] ContactSheet augmented_samples(FeedOptions feed, std::int64_t samples,
                                             std::stop_token stop = {});

}  // namespace millrace
