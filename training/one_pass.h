#pragma once
// The common part of evaluation and prediction: one pass over samples, in their order,
// and the stages that bring them to the engine.

#include <millrace/io/decode.h>
#include <millrace/nn/engine.h>
#include <millrace/nodes/add_upload.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/lost_samples.h>
#include <millrace/pipeline/pipeline.h>
#include <millrace/training/saved_model.h>

#include <cstdint>
#include <memory>
#include <string>

namespace millrace {

struct OnePassOptions {
  std::int64_t batch = 32;
  OnError on_bad_image = fail();
  std::shared_ptr<LostSamples> lost{};  ///< records each sample; may be null
  std::uint64_t max_image_pixels = kMaxImagePixels;
  Bytes budget{};   ///< of the pass, the model included where steps read host memory; 0: no limit
  int threads = 0;  ///< of reading and decoding; 0: the cores one may use
};

/// A model, compiled, and the samples it looks at. Images are read and scaled as the model's
/// preprocessing has it. Takes no memory for steps before allocate().
///
/// Thread safety: none; one pass at a time.
class OnePass {
 public:
  /// `compile` says what the loss is; its batches and steps are the pass's own, and nothing is
  /// trained.
  /// Throws UsageError or Error as DirectoryReader and Engine::compile() do.
  OnePass(std::shared_ptr<const nn::Engine> engine, SavedModel model, SampleSet samples,
          OnePassOptions options, nn::CompileOptions compile = {});

  /// A pipeline with what the samples and the model take, without stages.
  [[nodiscard]] Pipeline pipeline(std::string name) const;
  /// list - decode - standardize (if the preprocessing looks at whole samples) - batch - copy -
  /// cast.
  Stream<Lease<DeviceBatch>> add_inputs(Pipeline& pipeline) const;
  /// Takes the memory for steps and writes the model's weights.
  void allocate() const;

  [[nodiscard]] const nn::Engine& engine() const noexcept { return *engine_; }
  [[nodiscard]] nn::Executor& executor() const noexcept { return *executor_; }
  [[nodiscard]] const nn::Model& model() const noexcept { return saved_.model; }
  [[nodiscard]] const SampleSet& samples() const noexcept { return samples_; }
  [[nodiscard]] std::int64_t batch() const noexcept { return options_.batch; }
  [[nodiscard]] const nn::CompileOptions& compile_options() const noexcept { return compile_; }
  [[nodiscard]] DeviceBatchFactory device_batches() const;
  /// Numbers that the model gives for a sample.
  [[nodiscard]] std::int64_t output_width() const;

 private:
  [[nodiscard]] DirectoryReader reader() const;

  std::shared_ptr<const nn::Engine> engine_;
  SavedModel saved_;
  SampleSet samples_;
  OnePassOptions options_;
  nn::CompileOptions compile_;
  std::shared_ptr<nn::Executor> executor_;
};

}  // namespace millrace
