#pragma once
// Millrace's types as values of options: enumerations by name, ranges of augmentation as
// Keras writes them.

#include <millrace/training/train_spec.h>

#include <array>
#include <string>
#include <string_view>

namespace millrace {

/// Of a type that has a function from its word and a to_string().
template <class T, auto Named>
struct NamedText {
  static T read(std::string_view text) { return Named(text); }
  static std::string write(const T& value) { return to_string(value); }
};

template <>
struct OptionText<Fill> : NamedText<Fill, fill_from_name> {};
template <>
struct OptionText<Filter> : NamedText<Filter, filter_from_name> {};
template <>
struct OptionText<Colour> : NamedText<Colour, parse_colour> {};
template <>
struct OptionText<ClassMode> : NamedText<ClassMode, class_mode_named> {};
template <>
struct OptionText<nn::Initializer> : NamedText<nn::Initializer, nn::initializer_named> {};
template <>
struct OptionText<nn::Precision> : NamedText<nn::Precision, nn::precision_named> {};
template <>
struct OptionText<nn::OptimizerKind> : NamedText<nn::OptimizerKind, nn::optimizer_kind> {};
template <>
struct OptionText<nn::ScheduleKind> : NamedText<nn::ScheduleKind, nn::schedule_kind> {};
template <>
struct OptionText<nn::PruneKind> : NamedText<nn::PruneKind, nn::prune_kind> {};
template <>
struct OptionText<nn::Direction> : NamedText<nn::Direction, nn::direction_named> {};
template <>
struct OptionText<nn::Loss> {
  static nn::Loss read(std::string_view text) { return nn::loss_named(text); }
  static std::string write(nn::Loss value) { return nn::loss_info(value).option; }
};

inline std::array<OptionWord<BadImages>, 2> option_words(BadImages) {
  return {{{BadImages::fail, "fail"}, {BadImages::skip, "skip"}}};
}
inline std::array<OptionWord<Device>, 3> option_words(Device) {
  return {{{Device::automatic, "auto"}, {Device::cpu, "cpu"}, {Device::gpu, "gpu"}}};
}
inline std::array<OptionWord<FeatureCache>, 4> option_words(FeatureCache) {
  return {{{FeatureCache::automatic, "auto"},
           {FeatureCache::no, "no"},
           {FeatureCache::memory, "memory"},
           {FeatureCache::file, "file"}}};
}
inline std::array<OptionWord<FeaturePrecision>, 2> option_words(FeaturePrecision) {
  return {{{FeaturePrecision::fp32, "fp32"}, {FeaturePrecision::fp16, "fp16"}}};
}
inline std::array<OptionWord<FlattenOrder>, 2> option_words(FlattenOrder) {
  return {{{FlattenOrder::channels_first, "channels_first"},
           {FlattenOrder::channels_last, "channels_last"}}};
}

/// "keras", "torch", or the scale to begin with.
template <>
struct OptionText<nn::LossScaleOptions> {
  static nn::LossScaleOptions read(std::string_view text);
  static std::string write(const nn::LossScaleOptions& value);
};

/// "150" or "120x160".
template <>
struct OptionText<ImageSize> {
  static ImageSize read(std::string_view text);
  static std::string write(ImageSize value);
};

/// As Keras distinguishes them by type: a list has a comma, a real number a point or an exponent.
template <>
struct OptionText<ShiftRange> {
  static ShiftRange read(std::string_view text);
  static std::string write(const ShiftRange& value);
};

/// "0.5,1.5".
template <>
struct OptionText<Interval> {
  static Interval read(std::string_view text);
  static std::string write(Interval value);
};

/// The same, or Z for 1 - Z to 1 + Z.
[[nodiscard]] Interval read_zoom(std::string_view text);

}  // namespace millrace
