#include <millrace/image/augmentation.h>
#include <millrace/training/image_preprocessing.h>
#include <millrace/training/options/options.h>

#include <algorithm>

namespace millrace {
namespace {

template <class... Words>
[[noreturn]] void refuse(const Words&... words) {
  throw UsageError(concat(words...));
}

void check_data(const TrainSpec& o) {
  if (o.data.replay > 0 && !o.data.validation.empty()) {
    refuse(
        "--replay reads nothing after its first batches, so --validation cannot go with it; "
        "leave one of them out");
  }
  if (o.labels.class_mode == ClassMode::none) {
    refuse(
        "--class-mode none gives nothing to learn from; it is for programs that read images by "
        "image_folder()");
  }
  if (o.labels.class_mode == ClassMode::input && !o.callbacks.metrics.empty()) {
    refuse("--metrics are for classes, and --class-mode input has none; leave them out");
  }
}

void check_images(const TrainSpec& spec) {
  const ImageSpec& o = spec.images;
  if (o.channels && *o.channels != 1 && *o.channels != 3) {
    refuse("--channels must be 1 or 3, not ", *o.channels);
  }
  const char* const fitted = fitted_option(o);
  if (fitted != nullptr && spec.labels.class_mode == ClassMode::input) {
    refuse("--class-mode input compares outputs with pixels in 0..1, and --", fitted,
           " leaves that range; leave it out");
  }
  if (o.zca && o.featurewise_std) {
    refuse("--zca makes all deviations equal; leave out --featurewise-std");
  }
  const char* const set_by_hand = o.scale                ? "scale"
                                  : !o.mean.empty()      ? "mean"
                                  : !o.deviation.empty() ? "deviation"
                                                         : nullptr;
  if (!o.preprocessing.empty() && set_by_hand != nullptr) {
    refuse("--preprocessing ", o.preprocessing, " sets --", set_by_hand,
           " itself; leave out one of them");
  }
  if (fitted == nullptr) return;
  if (!o.mean.empty() || !o.deviation.empty()) {
    refuse("--", !o.mean.empty() ? "mean" : "deviation",
           " would be replaced by what is fitted; leave it out, or --featurewise-* and --zca");
  }
  if (!o.preprocessing.empty() && o.preprocessing != "rescale") {
    refuse("--preprocessing ", o.preprocessing,
           " sets a mean itself; leave it out, or --featurewise-* and --zca");
  }
}

void check_schedule(const TrainSpec& spec) {
  const nn::ScheduleOptions& o = spec.schedule;
  const bool is_piecewise = o.kind == nn::ScheduleKind::piecewise;
  // Of the whole run such a period would make a constant rate.
  const bool repeats =
      o.kind == nn::ScheduleKind::step || o.kind == nn::ScheduleKind::cosine_restarts;
  if (is_piecewise && o.milestones.empty()) {
    refuse("--schedule piecewise needs --milestones, for example 1000,2000");
  }
  if (repeats && !spec.decay_steps) {
    refuse("--schedule ", nn::to_string(o.kind), " needs --decay-steps");
  }
  if (is_piecewise && !std::is_sorted(o.milestones.begin(), o.milestones.end())) {
    refuse("--milestones must be in ascending order");
  }
  if (is_piecewise && !o.factors.empty() && o.factors.size() != o.milestones.size()) {
    refuse("--milestone-factors must be as many as --milestones, which are ", o.milestones.size(),
           ", not ", o.factors.size());
  }
}

void check_gradient(const nn::GradientOptions& o) {
  const auto clips = {o.clip_value, o.clip_norm, o.clip_global_norm};
  if (std::count_if(clips.begin(), clips.end(), [](double x) { return x > 0; }) > 1) {
    refuse("--clip-value, --clip-norm, --clip-global-norm: at most one of them can be used");
  }
}

void check_model(const ModelSpec& o) {
  if (o.unfreeze_at == 1) {
    refuse("--unfreeze-at 1 freezes nothing; leave --freeze out, or unfreeze later");
  }
}

void check_pruning(const PruningSpec& o) {
  const std::uint64_t begin = o.begin.value_or(0);
  if (o.kind && o.end && *o.end < begin) {
    refuse("--prune-end ", *o.end, " comes before --prune-begin ", begin);
  }
}

}  // namespace

void check(const TrainSpec& spec) {
  check_data(spec);
  check_images(spec);
  check(spec.augmentation, "--");
  check_schedule(spec);
  check_gradient(spec.gradient);
  check_model(spec.model);
  check_pruning(spec.pruning);
}

}  // namespace millrace
