#include <millrace/training/feature_origin.h>

#include <millrace/nn/model_json.h>
#include <millrace/training/options/options.h>
#include <millrace/training/sample_prints.h>

namespace millrace {
namespace {

/// All options of augmentation, with the seed that draws; empty where nothing is drawn.
std::string augmentation_of(const FeedOptions& o) {
  AugmentOptions augment = o.decoding.augment.value_or(AugmentOptions{});
  if (augment.is_identity()) return {};
  OptionList rows;
  list_augmentation(rows, augment);
  std::string text = concat("seed ", o.decoding.seed);
  for (const auto& row : rows.options()) text += concat(", ", row->name, ' ', row->write());
  return text;
}

std::string reading_of(const FeedOptions& o) {
  const DecodingOptions& decoding = o.decoding;
  return concat("at most ", decoding.decoder.max_pixels, " pixels",
                decoding.on_bad_image.skips ? ", others left out" : "", ", ",
                nn::to_string(o.engine->precision()));
}

}  // namespace

Metadata origin_of_features(const FeedOptions& o, const nn::Model& front,
                            std::span<const float> weights) {
  std::string prints = print_of(weights);
  if (front.preprocessing.whitening != nullptr) {
    prints += concat(", whitened by ", print_of(*front.preprocessing.whitening));
  }
  return {{"data", concat(fingerprint(o.training), "; ", whole_contents_print(o.training), "; ",
                          fingerprint(o.validation), "; ", whole_contents_print(o.validation))},
          {"layers", nn::to_json(front)},
          {"weights", prints},
          {"options", concat(reading_of(o), "; ", augmentation_of(o))}};
}

}  // namespace millrace
