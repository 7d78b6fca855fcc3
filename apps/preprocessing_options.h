#pragma once
// The options of `millrace train` that say how pixels become the model's input, beyond --scale,
// --mean and --deviation: Keras's names, with hyphens. What must be fitted to data is fitted here.

#include "apps/command_line.h"

#include <millrace/nn/model.h>
#include <millrace/nodes/fit_statistics.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::apps {

struct PreprocessingOptions {
  bool no_exif_orientation = false;
  std::string background;  ///< a colour, or empty
  std::string family;      ///< "caffe", "tf", "torch", "rescale"; empty: none
  bool featurewise_center = false, featurewise_std = false;
  bool samplewise_center = false, samplewise_std = false;
  bool zca = false;
  double zca_epsilon = 1e-6;
  std::uint32_t fit_samples = 0;
  std::uint32_t show_augmented = 0;
};

void declare(CommandLine& line, PreprocessingOptions& options);

/// The option that has the preprocessing fitted to data, "zca"; null where there is none.
[[nodiscard]] const char* fitted_option(const PreprocessingOptions& options) noexcept;

/// Throws UsageError for values out of range and for options that undo each other or --scale,
/// --mean and --deviation, in one line.
void check(const PreprocessingOptions& options, const std::optional<double>& scale,
           const std::string& mean, const std::string& deviation);

/// Sets what is known before data are read: the family's numbers and the samplewise steps. Throws
/// UsageError where these are not for such samples.
void apply(const PreprocessingOptions& options, const Shape& sample, nn::Preprocessing& result);

/// Fits what --featurewise-center, --featurewise-std and --zca ask for; does nothing without them.
/// `fit` brings threads, budget and the like. Throws as fit_statistics() does.
void fit_preprocessing(const PreprocessingOptions& options, const SampleSet& training,
                       nn::Model& model, FitOptions fit);

}  // namespace millrace::apps
