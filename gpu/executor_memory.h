#pragma once
// The device memory of an executor: its sizes, and its blocks once allocated.

#include <millrace/core/buffer.h>
#include <millrace/gpu/device.h>
#include <millrace/gpu/parameters.h>
#include <millrace/gpu/programs.h>
#include <millrace/nn/engine.h>

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::gpu {

/// Bytes of each arena and table.
struct MemoryNeeds {
  std::uint64_t parameters = 0, working = 0, gradients = 0, given = 0, sums = 0, state = 0,
                masks = 0, average = 0;
  int states = 0;  ///< arenas of `state` bytes
  std::uint64_t activations = 0, workspace = 0;
  std::uint64_t segments = 0, partials = 0, norms = 0, steps = 0;

  [[nodiscard]] std::uint64_t scratch() const;
  [[nodiscard]] std::vector<nn::MemoryLine> lines() const;
};
[[nodiscard]] MemoryNeeds memory_needs(const nn::Model& model, const Programs& programs,
                                       const ParameterPlaces& parameters,
                                       const nn::CompileOptions& options, nn::Precision precision);

/// A block for each line of memory(). Not initialised.
class ExecutorMemory {
 public:
  ExecutorMemory() = default;
  /// Throws OutOfDeviceMemory that names what did not fit.
  ExecutorMemory(Device& device, const MemoryNeeds& needs);

  [[nodiscard]] const Arenas& arenas() const { return arenas_; }
  [[nodiscard]] explicit operator bool() const { return arenas_.scalars != nullptr; }
  /// Blocks that must be zero before the first step: all but the activations.
  [[nodiscard]] std::vector<const Buffer*> zeroed() const;

 private:
  Buffer parameters_, working_, gradients_, state_, masks_, average_, activations_, scratch_;
  Arenas arenas_;
};

}  // namespace millrace::gpu
