#include "apps/training_input.h"

#include "apps/find_model.h"
#include "apps/progress.h"

#include <millrace/nodes/decode_into.h>
#include <millrace/training/class_weights.h>
#include <millrace/training/replay_feed.h>
#include <millrace/training/resident_feed.h>

#include <utility>

namespace millrace::apps {
namespace {

FeedOptions feed_options(const Training& t) {
  const TrainOptions& o = t.options;
  const Bytes budget = parse_bytes(o.memory_budget);
  const ClassMode mode = class_mode_for(o.labels, t.model);
  return {.training = t.data.training,
          .validation = t.data.validation,
          .order = {.batch = o.batch,
                    .epochs = o.epochs,
                    .steps_per_epoch = o.steps_per_epoch,
                    .limit_batches = o.limit_batches,
                    .seed = o.seed,
                    .shuffle = !o.no_shuffle,
                    .ticket_samples = ticket_samples(t.model.input),
                    .class_weights = class_weights(o.labels.class_weight, t.data.training),
                    .accumulate = o.accumulate},
          .decoding = {.sample = t.model.input,
                       .preprocessing = t.model.preprocessing,
                       .decoder = decoders_within(budget, o.threads, o.max_image_pixels),
                       .on_bad_image = bad_image_policy(o),
                       .lost = t.lost,
                       .augment = augment_options(o.augmentation),
                       .seed = o.seed},
          .engine = t.engine,
          .target_width = target_width(mode, output_width(t.model)),
          .learns_input = mode == ClassMode::input,
          .slots = o.slots,
          .budget = budget,
          .threads = o.threads,
          .stall = stall_watch(o.stall_timeout)};
}

}  // namespace

OnError bad_image_policy(const TrainOptions& o) {
  if (o.on_bad_image == "fail") return fail();
  return o.bad_image_limit == 0 ? skip() : skip(o.bad_image_limit);
}

void check_feed(const TrainOptions& o, const nn::Engine* engine) {
  if (!o.resident) return;
  const bool on_cpu = engine != nullptr ? engine->shares_host_memory() : o.device == "cpu";
  check_resident(!on_cpu, augment_options(o.augmentation));
  if (o.replay > 0) {
    throw UsageError(
        "--resident keeps all samples in the GPU's memory, --replay feeds a few of the host's; "
        "leave one of them out");
  }
}

std::shared_ptr<Feed> make_feed(const Training& t) {
  const TrainOptions& o = t.options;
  FeedOptions options = feed_options(t);
  if (o.replay > 0) return std::make_shared<ReplayFeed>(std::move(options), o.replay);
  if (!o.resident) return std::make_shared<FileFeed>(std::move(options));
  // Pruning acts between any two steps: which of them are masked depends on the next one.
  return std::make_shared<ResidentFeed>(
      std::move(options),
      ResidentFeedOptions{.one_step_at_a_time = o.pruning.is_on(),
                          .stops = {o.callbacks.checkpoint_every, o.events.tensorboard_update}});
}

}  // namespace millrace::apps
