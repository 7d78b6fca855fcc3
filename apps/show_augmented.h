#pragma once
// The images of --show-augmented: what the loading half of a training pipeline makes of the first
// samples of a run.

#include "apps/training.h"

#include <millrace/nodes/contact_sheet.h>

#include <cstdint>
#include <stop_token>

namespace millrace::apps {

/// The first `samples` training samples of the run (fewer if an epoch has fewer), in its order,
/// augmented and preprocessed as they will be. Throws as Pipeline::run does, UsageError for data
/// that are no images, Stopped.
[[nodiscard]] ContactSheet augmented_samples(const Training& training, std::int64_t samples,
                                             std::stop_token stop);

}  // namespace millrace::apps
