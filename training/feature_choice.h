#pragma once
// Whether a run computes what its frozen layers give only once, and where that is kept.

#include <millrace/nn/frozen_front.h>
#include <millrace/training/train_spec.h>
#include <millrace/training/training_data.h>

#include <optional>
#include <string>

namespace millrace {

struct Training;

struct FeatureChoice {
  std::optional<nn::FrozenFront> front{};  ///< what is computed once; none: nothing
  bool in_file = false;                    ///< else in memory
  /// Where layers are frozen and computed in each step, and nobody asked for that; else empty.
  std::string why_not{};
};

/// By the spec, the data and the model. Throws UsageError where the spec asks for a cache and no
/// layer is frozen, or samples are kept in another way.
[[nodiscard]] FeatureChoice choose_features(const TrainSpec& spec, const TrainingData& data,
                                            const nn::Model& model);

/// Whether the budget holds features in memory, beside all else.
[[nodiscard]] bool holds_features(const Training& training);

/// A line about the features for the user; empty where no layer is frozen.
[[nodiscard]] std::string describe_features(const Training& training);

}  // namespace millrace
