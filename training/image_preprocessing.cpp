#include <millrace/training/image_preprocessing.h>

#include <millrace/core/error.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/tables.h>

#include <utility>

namespace millrace {
namespace {

bool wants_fit(const ImageSpec& o) {
  return fitted_option(o) != nullptr;
}

}  // namespace

const char* fitted_option(const ImageSpec& o) noexcept {
  return o.featurewise_center ? "featurewise-center"
         : o.featurewise_std  ? "featurewise-std"
         : o.zca              ? "zca"
                              : nullptr;
}

void apply(const ImageSpec& o, const Shape& sample, nn::Preprocessing& result) {
  const char* const of_images = !o.preprocessing.empty() ? "preprocessing"
                                : o.samplewise_center    ? "samplewise-center"
                                : o.samplewise_std       ? "samplewise-std"
                                : o.zca                  ? "zca"
                                : o.background           ? "background"
                                                         : nullptr;
  if (sample.rank() != 3 && of_images != nullptr) {
    throw UsageError(concat("--", of_images, " is for images, and the data are ",
                            kind_of_samples(sample), "; --featurewise-std standardises columns"));
  }
  if (!o.preprocessing.empty()) {
    result = nn::with_reading_of(result, nn::preprocessing_named(o.preprocessing, sample[-1]));
  }
  if (o.background) result.background = o.background;
  if (o.samplewise_center || o.samplewise_std) result.samplewise_center = true;
  if (o.samplewise_std) result.samplewise_deviation = true;
}

void fit_preprocessing(const ImageSpec& o, const SampleSet& training, nn::Model& model,
                       FitOptions fit) {
  if (!wants_fit(o)) return;
  fit.center = true;
  fit.deviation = o.featurewise_std;
  fit.zca = o.zca;
  fit.zca_epsilon = o.zca_epsilon;
  fit.samples = o.fit_samples;
  model.preprocessing = fit_statistics(training, model.input, model.preprocessing, fit);
}

}  // namespace millrace
