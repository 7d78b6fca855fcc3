#pragma once
// A prepared training run, from which its pipeline, files and reports are made.

#include <millrace/nn/engine.h>
#include <millrace/nodes/lost_samples.h>
#include <millrace/pipeline/stage_watch.h>
#include <millrace/training/callback.h>
#include <millrace/training/feature_choice.h>
#include <millrace/training/feed.h>
#include <millrace/training/pretrained.h>
#include <millrace/training/pruner.h>
#include <millrace/training/train_spec.h>
#include <millrace/training/training_data.h>

#include <functional>
#include <memory>
#include <vector>

namespace millrace {

struct ResumedRun;

/// All that a training run is made of, before anything large is allocated. TrainingSession makes it
/// from a spec; thread safety: none.
struct Training {
  TrainSpec spec;
  TrainingData data;
  nn::Model model;
  std::shared_ptr<const nn::Engine> engine;
  nn::CompileOptions compile;
  std::shared_ptr<TrainingState> state;          ///< with the executor
  std::shared_ptr<const Pretrained> pretrained;  ///< --weights, or null
  std::shared_ptr<Pruner> pruner;                ///< may be null
  Callbacks callbacks;
  SavedParts saved;                     ///< what a checkpoint holds besides the state
  FeatureChoice features;               ///< whether frozen layers are computed once
  std::shared_ptr<Feed> feed;           ///< where the batches come from
  std::shared_ptr<Feed> later;          ///< from epoch --unfreeze-at on, where it is another one
  std::shared_ptr<ResumedRun> resumed;  ///< where it resumes, or null
  std::shared_ptr<StageWatch> stages;   ///< sees the stages' work; may be null
  StallWatch stall;                     ///< of the run's pipelines
  /// What a model takes of a device's own memory in a precision, at most; may be empty.
  std::function<std::vector<nn::MemoryLine>(const nn::Model&, const nn::CompileOptions&,
                                            nn::Precision)>
      planned_memory;
  Bytes recording{};                  ///< what a record of the device's work takes
  std::shared_ptr<LostSamples> lost;  ///< with --on-bad-image skip, else null

  /// What a step computes: the model, or what is left of it after features.
  [[nodiscard]] const nn::Model& stepped() const {
    return features.front ? features.front->head : model;
  }
  /// Of all epochs.
  [[nodiscard]] const Feed& last_feed() const { return later != nullptr ? *later : *feed; }
  /// Where the next batch comes from, by the state.
  [[nodiscard]] Feed& feed_now() const;
};

}  // namespace millrace
