#pragma once
// The training pipeline, composed in plain sight: list - decode - augment - batch - copy - cast -
// train - log. `train` runs it, `bench train` measures it and its loading half alone.

#include "apps/data.h"
#include "apps/device_memory.h"
#include "apps/train_options.h"

#include <millrace/io/watch.h>
#include <millrace/nn/engine.h>
#include <millrace/nodes/callback.h>
#include <millrace/nodes/logger.h>
#include <millrace/nodes/lost_samples.h>
#include <millrace/nodes/pruner.h>
#include <millrace/nodes/replay.h>
#include <millrace/nodes/resident.h>
#include <millrace/pipeline/pipeline.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <stop_token>

namespace millrace::apps {

/// All that a training run is made of.
struct Training {
  TrainOptions options;
  TrainingData data;
  nn::Model model;
  std::shared_ptr<const nn::Engine> engine;
  nn::CompileOptions compile;
  std::shared_ptr<TrainingState> state;          ///< with the executor
  std::shared_ptr<const Pretrained> pretrained;  ///< --weights, or null
  std::shared_ptr<Pruner> pruner;                ///< may be null
  Callbacks callbacks;
  SavedParts saved;                        ///< what a checkpoint holds besides the state
  std::shared_ptr<KeptBatches> kept;       ///< --replay: what load_kept() fills; else null
  std::shared_ptr<ResidentData> resident;  ///< --resident: what load_resident() fills; else null
  std::shared_ptr<StageWatch> watch;       ///< told of the stages' work; may be null
  std::shared_ptr<LostSamples> lost;       ///< with --on-bad-image skip, else null
};

/// Chooses what the options leave open, makes the model, fits its preprocessing to the data where
/// that is asked for (`watch` is told of the samples) and compiles it. Nothing large is allocated.
/// `engine`: to train with, instead of the one that the options name, which calls `on_timing` as
/// EngineChoice says. Throws UsageError or Error as choose(), make_model(), fit_preprocessing() and
/// engine_for() do.
[[nodiscard]] Training prepare_training(TrainOptions options, TrainingData data,
                                        const Watch& watch = {},
                                        std::shared_ptr<const nn::Engine> engine = nullptr,
                                        std::function<void(std::uint64_t)> on_timing = {});

/// The source of the run's batches.
[[nodiscard]] DirectoryReader make_reader(const Training& training);

/// What makes them for the run, each with room for so many steps. The second form: as many as the
/// run takes together.
[[nodiscard]] DeviceBatchFactory device_batches(const Training& training, std::uint32_t steps);
[[nodiscard]] DeviceBatchFactory device_batches(const Training& training);
/// The same for host batches of one step, with pixels.
[[nodiscard]] HostBatchFactory host_batches(const Training& training);
/// Charges what the data sets keep of their files.
void charge_indexes(Pipeline& pipeline, const Training& training);

/// Reads batches into the slots of the pool.
Stream<Lease<HostBatch>> add_reading(Pipeline& pipeline, const Training& training,
                                     DirectoryReader reader, const Pool<HostBatch>& host);

/// For --replay: loads the batches that are fed later, and says what was left out. Their memory is
/// in the plan of compose_training(), too. Throws Stopped, or what the pipeline throws.
Report load_kept(const Training& training, std::stop_token stop);

/// One line for reports, of a run with --replay; else empty.
[[nodiscard]] std::string describe_replay(const Training& training);

/// The loading half: list - decode - augment - standardize (if the preprocessing looks at whole
/// samples) - batch, over a pool of host batches, with its charges
/// for the data sets. With --replay: what load_kept() has kept, again and again. With --resident:
/// rows alone.
Stream<Lease<HostBatch>> add_loading(Pipeline& pipeline, const Training& training);

/// The whole pipeline; batches begin at the state's position. `trace` may be empty. The executor
/// must be allocated before it runs.
[[nodiscard]] Pipeline compose_training(const Training& training,
                                        const std::filesystem::path& trace,
                                        Logger::Watchers watchers);

/// What the run takes of the memory of a device that has its own.
[[nodiscard]] DeviceMemoryPlan device_memory(const Training& training);
/// Throws Error, with the largest batch that fits, where the device has less free.
void check_device_memory(const Training& training);
/// One line: the run's sum, what is free, and what fp32 and fp16 would take; empty where steps read
/// host memory.
[[nodiscard]] std::string describe_device_memory(const Training& training);

/// Takes the executor's memory and writes the first weights, a function of the seed.
void allocate(const Training& training);

}  // namespace millrace::apps
