#include "apps/preprocessing_options.h"

#include <millrace/core/error.h>
#include <millrace/nn/preprocessing.h>

#include <utility>

namespace millrace::apps {
namespace {

bool wants_fit(const PreprocessingOptions& o) {
  return fitted_option(o) != nullptr;
}

Colour background_of(const PreprocessingOptions& o) {
  try {
    return parse_colour(o.background);
  } catch (const UsageError& error) {
    throw UsageError(concat("train: --background: ", error.what()));
  }
}

}  // namespace

const char* fitted_option(const PreprocessingOptions& o) noexcept {
  return o.featurewise_center ? "featurewise-center"
         : o.featurewise_std  ? "featurewise-std"
         : o.zca              ? "zca"
                              : nullptr;
}

void declare(CommandLine& line, PreprocessingOptions& o) {
  line.topic("preprocessing", "Preprocessing");
  line("no-exif-orientation", o.no_exif_orientation, "",
       "take images as they are stored; otherwise they are turned upright, as their EXIF data "
       "say (TIFF files always are)");
  line("background", o.background, "COLOUR",
       "put images with transparency on it: white, #rrggbb or R,G,B; default: drop transparency");
  line("preprocessing", o.family, "NAME",
       "of a family of pretrained weights: caffe (Keras's VGG16), tf, torch, rescale (default)");
  line("featurewise-center", o.featurewise_center, "",
       "subtract the mean of the training samples, by channel (tables: by column)");
  line("featurewise-std", o.featurewise_std, "", "and divide by their deviation");
  line("samplewise-center", o.samplewise_center, "", "subtract the mean of each image");
  line("samplewise-std", o.samplewise_std, "", "and divide by the deviation of each image");
  line("zca", o.zca, "", "ZCA whitening of images, after --featurewise-center");
  line("zca-epsilon", o.zca_epsilon, "X", "added to singular values; default 1e-6");
  line("fit-samples", o.fit_samples, "N",
       "fit to so many training samples, spread evenly; default 0: all");
  line("show-augmented", o.show_augmented, "N",
       "write RUN/augmented.png: N training samples as the model will see them");
}

void check(const PreprocessingOptions& o, const std::optional<double>& scale,
           const std::string& mean, const std::string& deviation) {
  const auto refuse = [](const auto&... words) { throw UsageError(concat("train: --", words...)); };
  constexpr std::uint32_t kMostShown = 1024;
  if (!(o.zca_epsilon >= 0)) refuse("zca-epsilon must be 0 or more, not ", o.zca_epsilon);
  if (o.show_augmented > kMostShown) {
    refuse("show-augmented shows at most ", kMostShown, " samples, not ", o.show_augmented);
  }
  if (!o.background.empty()) (void)background_of(o);
  if (o.zca && o.featurewise_std) {
    refuse("zca makes all deviations equal; leave out --featurewise-std");
  }
  if (o.fit_samples > 0 && !wants_fit(o)) {
    refuse("fit-samples wants something to fit: --featurewise-center, --featurewise-std or --zca");
  }
  const char* const set_by_hand = scale                ? "scale"
                                  : !mean.empty()      ? "mean"
                                  : !deviation.empty() ? "deviation"
                                                       : nullptr;
  if (!o.family.empty() && set_by_hand != nullptr) {
    refuse("preprocessing ", o.family, " sets --", set_by_hand, " itself; leave out one of them");
  }
  const bool is_fitted = wants_fit(o);
  if (is_fitted && (!mean.empty() || !deviation.empty())) {
    refuse(!mean.empty() ? "mean" : "deviation",
           " would be replaced by what is fitted; leave it out, or --featurewise-* and --zca");
  }
  if (is_fitted && !o.family.empty() && o.family != "rescale") {
    refuse("preprocessing ", o.family,
           " has a mean of its own; leave it out, or --featurewise-* and --zca");
  }
}

void apply(const PreprocessingOptions& o, const Shape& sample, nn::Preprocessing& result) {
  const char* const of_images = !o.family.empty()       ? "preprocessing"
                                : o.samplewise_center   ? "samplewise-center"
                                : o.samplewise_std      ? "samplewise-std"
                                : o.zca                 ? "zca"
                                : !o.background.empty() ? "background"
                                                        : nullptr;
  if (sample.rank() != 3 && of_images != nullptr) {
    throw UsageError(concat("train: --", of_images, " is of images, the data are rows of ", sample,
                            " numbers; --featurewise-std standardises columns"));
  }
  if (!o.family.empty()) {
    result = nn::with_reading_of(result, nn::preprocessing_named(o.family, sample[-1]));
  }
  if (!o.background.empty()) result.background = background_of(o);
  if (o.samplewise_center || o.samplewise_std) result.samplewise_center = true;
  if (o.samplewise_std) result.samplewise_deviation = true;
}

void fit_preprocessing(const PreprocessingOptions& o, const SampleSet& training, nn::Model& model,
                       FitOptions fit) {
  if (!wants_fit(o)) return;
  fit.center = true;
  fit.deviation = o.featurewise_std;
  fit.zca = o.zca;
  fit.zca_epsilon = o.zca_epsilon;
  fit.samples = o.fit_samples;
  model.preprocessing = fit_statistics(training, model.input, model.preprocessing, fit);
}

}  // namespace millrace::apps
