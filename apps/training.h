#pragma once
// A training run, prepared: what its pipeline, its files and its reports are made from.

#include "apps/data.h"

#include <millrace/nn/engine.h>
#include <millrace/nodes/lost_samples.h>
#include <millrace/pipeline/stage_watch.h>
#include <millrace/training/callback.h>
#include <millrace/training/feed.h>
#include <millrace/training/pretrained.h>
#include <millrace/training/pruner.h>
#include <millrace/training/train_spec.h>

#include <memory>

namespace millrace::apps {

/// All that a training run is made of.
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
  SavedParts saved;                   ///< what a checkpoint holds besides the state
  std::shared_ptr<Feed> feed;         ///< where the batches come from
  bool goes_on = false;               ///< from a checkpoint of an earlier run
  std::shared_ptr<StageWatch> watch;  ///< told of the stages' work; may be null
  std::shared_ptr<LostSamples> lost;  ///< with --on-bad-image skip, else null
};

}  // namespace millrace::apps
