#pragma once
// Fits the feature-wise part of a preprocessing to data, as ImageDataGenerator.fit does, but in one
// streaming pass through a pipeline: memory does not grow with the number of samples.

#include <millrace/io/decode.h>
#include <millrace/io/watch.h>
#include <millrace/nn/model.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/pipeline/stage.h>
#include <millrace/pipeline/stall_watch.h>

#include <cstdint>

namespace millrace {

struct FitOptions {
  bool center = false;     ///< mean by channel
  bool deviation = false;  ///< and deviation by channel
  bool zca = false;        ///< and the whitening matrix; uint8 images only
  double zca_epsilon = 1e-6;
  std::uint32_t samples = 0;  ///< this many, spread evenly over the set; 0: all
  OnError on_bad_image = fail();
  DecoderOptions decoder{};  ///< bounds; images are read as the preprocessing has it
  int threads = 0;           ///< 0: the cores one may use
  Bytes budget{};            ///< 0: no limit
  Watch watch{};             ///< gets the number of samples so far
  StallWatch stall{};
};

/// The preprocessing with its mean, deviation and whitening replaced by those of the samples (by
/// none if they are not asked for; whatever is, the mean is): of samples before augmentation,
/// times its scale, in its order of channels, whatever its samplewise steps (Keras fits to the
/// same). `deviation` is the population's + 1e-6. For features of tables, each feature is a
/// channel. The result does not depend on the number of threads.
///
/// Throws UsageError: nothing to fit, whitening of tables or together with deviation; Error: more
/// than nn::kMostWhitenedFeatures elements to whiten (with the sum), no sample that can be read;
/// BudgetError, StageError as Pipeline::run does; Stopped.
[[nodiscard]] nn::Preprocessing fit_statistics(const SampleSet& training, const Shape& sample,
                                               nn::Preprocessing preprocessing,
                                               const FitOptions& options);

}  // namespace millrace
