#pragma once
// How pixels become the model's input: as specified, and as fitted to the data.

#include <millrace/nn/model.h>
#include <millrace/nodes/fit_statistics.h>
#include <millrace/training/train_spec.h>

namespace millrace {

/// The option that has the preprocessing fitted to data, "zca"; null if there is none.
[[nodiscard]] const char* fitted_option(const ImageSpec& options) noexcept;

/// Sets what is known before data are read: the family's numbers and the samplewise steps. Throws
/// UsageError where these are not for such samples.
void apply(const ImageSpec& options, const Shape& sample, nn::Preprocessing& result);

/// Fits what --featurewise-center, --featurewise-std and --zca ask for; does nothing without them.
/// `fit` brings threads, budget and the like. Throws as fit_statistics() does.
void fit_preprocessing(const ImageSpec& options, const SampleSet& training, nn::Model& model,
                       FitOptions fit);

}  // namespace millrace
