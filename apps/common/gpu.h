#pragma once
// The program's view of NVIDIA GPUs. Compiled from gpu.cpp and gpu_recording.cpp if Millrace
// is built with CUDA, else from no_gpu.cpp: then there are none, and it says how to
// build a program with them.

#include <millrace/nn/engine.h>
#include <millrace/pipeline/report.h>
#include <millrace/pipeline/stage_watch.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace millrace::apps {

struct FoundGpus {
  /// "NVIDIA H200, capability 9.0, 132 multiprocessors, 139.8 GiB", one a device.
  std::vector<std::string> devices{};
  std::string libraries{};  ///< "driver 13.0, CUDA 13.0, cuDNN 9.19.0, cuBLAS 13.1.0"; or empty
  std::vector<std::string> paths{};  ///< of NVIDIA's libraries that are open
  std::string why_none{};            ///< one line; empty if there are devices
};
/// Never throws if a device, driver or library is missing.
[[nodiscard]] FoundGpus find_gpus();

/// The engine on the first GPU. What it measures to choose between ways to do an operation is kept
/// in the user's cache folder. Throws Error if there is no GPU.
[[nodiscard]] std::shared_ptr<const nn::Engine> gpu_engine(nn::Precision precision,
                                                           const nn::LossScaleOptions& loss_scale);

/// What training takes of a GPU's memory, at most, known without one: the lines of
/// Executor::memory(). Empty in a build without CUDA.
[[nodiscard]] std::vector<nn::MemoryLine> planned_gpu_memory(const nn::Model& model,
                                                             const nn::CompileOptions& options,
                                                             nn::Precision precision);

/// Shows the stages of a pipeline as named ranges in NVIDIA's profilers. Null in a build without
/// CUDA.
[[nodiscard]] std::shared_ptr<StageWatch> profiler_ranges();

/// Records what the GPU does, from its making on; one at a time.
class GpuRecording {
 public:
  virtual ~GpuRecording() = default;
  /// Ends it after a run of a pipeline: adds what the GPU did to the trace of the run, lines about
  /// it to the report's remarks, and returns it as a JSON object. Throws Error (disk).
  virtual std::string finish(Report& report, const std::filesystem::path& trace) = 0;

  /// The most memory that it takes.
  [[nodiscard]] static Bytes bytes();
};
/// By CUPTI; where that cannot be had, finish() says so and what else there is. Null in a build
/// without CUDA.
[[nodiscard]] std::unique_ptr<GpuRecording> record_gpu();

}  // namespace millrace::apps
