#pragma once
// Training runs of the program's own pipeline on the recording device, over files of images.

#include <millrace/training/compose_training.h>
#include <millrace/training/make_feed.h>
#include "gpu/recorded_engine.h"
#include "io/scratch.h"

#include <millrace/pipeline/stage_watch.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::test {

/// Two classes of RGB images of `size` x `size` pixels.
[[nodiscard]] std::filesystem::path write_images(const Scratch& scratch, int images_each,
                                                 int size = 8);

/// Batches of 4 on 2 threads, without validation and checkpoints.
[[nodiscard]] TrainSpec options_for(const std::filesystem::path& data, const std::string& model);

/// A training on a device of its own, ready to be composed. The record says what the bodies of
/// stages do, with note_host(): "begin copy" and "end", and "load" where an image is written.
struct RecordedTraining {
  explicit RecordedTraining(const TrainSpec& options, const gpu::EngineOptions& engine = {},
                            gpu::Faults faults = {});

  /// With the first weights, and with the first masks if it prunes.
  void allocate() const;
  /// The program's pipeline, allocated and run to its end.
  Report run(Logger::Watchers watchers = {}) const;
  [[nodiscard]] std::vector<float> weights() const { return training.state->weights(); }
  [[nodiscard]] Bytes device_memory() const {
    const nn::DeviceMemory memory = device->memory();
    return memory.total - memory.free;
  }
  void check_device() const;

  std::shared_ptr<gpu::RecordingDevice> device;
  std::shared_ptr<nn::Engine> engine;
  Training training;
};

/// Loading, copy, cast and step as the program composes them, with what it has no options for.
[[nodiscard]] Pipeline compose_steps(const RecordedTraining& recorded, int device_slots,
                                     std::int64_t report_every);

}  // namespace millrace::test
