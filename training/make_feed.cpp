#include <millrace/training/make_feed.h>

#include <millrace/nodes/decode_into.h>
#include <millrace/training/class_weights.h>
#include <millrace/training/feature_feed.h>
#include <millrace/training/find_model.h>
#include <millrace/training/label_form.h>
#include <millrace/training/replay_feed.h>
#include <millrace/training/resident_feed.h>
#include <millrace/training/stream_feed.h>

#include <utility>

namespace millrace {
namespace {

FeedOptions feed_options(const Training& t) {
  const TrainSpec& o = t.spec;
  const Bytes budget = o.machine.memory_budget.value();
  const ClassMode mode = class_mode_for(o.labels, t.model);
  const auto targets = static_cast<std::int64_t>(t.model.targets.size());
  return {
      .training = t.data.training,
      .validation = t.data.validation,
      .order = {.batch = o.batch,
                .epochs = o.epochs,
                .steps_per_epoch = o.steps_per_epoch,
                .drop_last = o.data.drop_last,
                .limit_batches = o.data.limit_batches,
                .seed = o.seed,
                .shuffle = o.shuffle,
                .shuffle_buffer = o.shuffle_buffer,
                .ticket_samples = ticket_samples(t.model.input),
                .class_weights = class_weights(o.labels.class_weight, t.data.training),
                .accumulate = o.accumulate},
      .decoding = {.sample = t.model.input,
                   .preprocessing = t.model.preprocessing,
                   .decoder = decoders_within(budget, o.machine.threads, o.data.max_image_pixels),
                   .on_bad_image = bad_image_policy(o),
                   .lost = t.lost,
                   .augment = o.augmentation,
                   .seed = o.seed},
      .engine = t.engine,
      .target_width = targets > 0 ? targets : target_width(mode, output_width(t.model)),
      .learns_input = mode == ClassMode::input,
      .slots = o.machine.slots,
      .budget = budget,
      .threads = o.machine.threads,
      .stall = t.stall};
}

/// Whether frozen layers train before the run ends.
bool unfreezes(const TrainSpec& o) {
  return o.model.unfreeze_at > 0 && o.model.unfreeze_at <= o.epochs;
}

}  // namespace

OnError bad_image_policy(const TrainSpec& o) {
  if (o.data.on_bad_image == BadImages::fail) return fail();
  return o.data.bad_image_limit == 0 ? skip() : skip(o.data.bad_image_limit);
}

void check_feed(const TrainSpec& o, const nn::Engine* engine) {
  if (!o.data.resident) return;
  const bool on_cpu =
      engine != nullptr ? engine->shares_host_memory() : o.machine.device == Device::cpu;
  check_resident(!on_cpu, o.augmentation);
  if (o.data.replay > 0) {
    throw UsageError(
        "--resident keeps all samples in the GPU's memory, --replay feeds a few of the host's; "
        "leave one of them out");
  }
}

std::shared_ptr<Feed> make_later_feed(const Training& t) {
  if (!t.features.front || !unfreezes(t.spec)) return nullptr;
  return std::make_shared<FileFeed>(feed_options(t));
}

std::shared_ptr<Feed> make_feed(const Training& t) {
  const TrainSpec& o = t.spec;
  FeedOptions options = feed_options(t);
  if (t.data.stream != nullptr)
    return std::make_shared<StreamFeed>(std::move(options), t.data.stream);
  if (o.data.replay > 0) return std::make_shared<ReplayFeed>(std::move(options), o.data.replay);
  if (t.features.front) {
    if (unfreezes(o)) options.order.epochs = o.model.unfreeze_at - 1;
    return std::make_shared<FeatureFeed>(std::move(options),
                                         FeatureFeedOptions{.front = *t.features.front,
                                                            .precision = o.model.cache_precision,
                                                            .in_file = t.features.in_file});
  }
  if (!o.data.resident) return std::make_shared<FileFeed>(std::move(options));
  // Pruning acts between any two steps: which of them are masked depends on the next one.
  return std::make_shared<ResidentFeed>(
      std::move(options),
      ResidentFeedOptions{.one_step_at_a_time = o.pruning.kind.has_value(),
                          .stops = {o.run.checkpoint_every, o.run.tensorboard_update}});
}

}  // namespace millrace
