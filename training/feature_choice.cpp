#include <millrace/training/feature_choice.h>

#include <millrace/core/shown_text.h>
#include <millrace/training/compose_training.h>
#include <millrace/training/feature_feed.h>

#include <algorithm>
#include <cstdint>

namespace millrace {
namespace {

/// A cache costs one pass over the samples, each view of them.
bool sees_twice(const TrainSpec& o, std::uint64_t samples) {
  const auto batch = static_cast<std::uint64_t>(o.batch);
  std::uint64_t steps = o.steps_per_epoch;
  if (steps == 0) steps = (samples + batch - 1) / batch;
  if (o.data.limit_batches > 0) steps = std::min<std::uint64_t>(steps, o.data.limit_batches);
  const std::uint64_t epoch =
      o.steps_per_epoch == 0 ? std::min(steps * batch, samples) : steps * batch;
  const bool draws = !o.augmentation.is_identity();
  const std::uint32_t epochs =
      o.model.unfreeze_at > 0 ? std::min(o.epochs, o.model.unfreeze_at - 1) : o.epochs;
  return epoch * epochs > samples * (draws ? std::max(o.augmentation.views, 1U) : 1U);
}

/// Empty if the samples of every epoch are the same, and used more than once.
std::string why_not(const TrainSpec& o, const TrainingData& data) {
  if (data.stream != nullptr) return "a stream may give others in each epoch";
  if (o.labels.class_mode == ClassMode::input) return "the images themselves are what is learnt";
  if (!o.augmentation.is_identity() && o.augmentation.views == 0) {
    return "images are augmented again in each epoch; --views N draws N changes of each and keeps "
           "them";
  }
  const bool was_asked = o.model.cache_features != FeatureCache::automatic;
  if (!was_asked && !sees_twice(o, data.training.size())) return "no image is seen twice";
  return {};
}

}  // namespace

FeatureChoice choose_features(const TrainSpec& o, const TrainingData& data,
                              const nn::Model& model) {
  const FeatureCache where = o.model.cache_features;
  if (where == FeatureCache::no) return {};
  const bool was_asked = where != FeatureCache::automatic;
  if (o.data.replay > 0 || o.data.resident) {
    if (!was_asked) return {};
    throw UsageError(
        "--cache-features keeps what frozen layers give, --replay and --resident keep samples; "
        "leave one of them out");
  }
  nn::FrontSearch found = nn::find_frozen_front(model);
  if (!found.is_frozen) {
    if (!was_asked) return {};
    throw UsageError(
        "--cache-features has no effect without frozen layers; give --freeze PREFIX, or leave it "
        "out");
  }
  FeatureChoice choice{.in_file = where == FeatureCache::file};
  choice.why_not = found.front ? why_not(o, data) : std::move(found.why_not);
  if (choice.why_not.empty()) choice.front = std::move(found.front);
  return choice;
}

bool holds_features(const Training& t) {
  try {
    compose_training(t, {}, {}).check();
    dynamic_cast<const FeatureFeed&>(*t.feed).check_loading();
  } catch (const BudgetError&) {
    return false;
  }
  return true;
}

std::string describe_features(const Training& t) {
  if (const auto* const feed = dynamic_cast<const FeatureFeed*>(t.feed.get())) {
    return concat("features    ", shown(feed->plan()),
                  t.later != nullptr
                      ? concat(", until epoch ", t.spec.model.unfreeze_at, " (--unfreeze-at)")
                      : std::string(),
                  '\n');
  }
  if (t.features.why_not.empty()) return {};
  return concat("features    frozen layers are computed in each step: ", shown(t.features.why_not),
                '\n');
}

}  // namespace millrace
