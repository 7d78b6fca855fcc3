#pragma once
// Compares the plan for a device with its own memory, a GPU, with what is free there, before
// anything is allocated. If steps read host memory, the pipeline's budget is charged instead.

#include <millrace/core/bytes.h>
#include <millrace/nn/engine.h>
#include <millrace/nodes/charge_model.h>
#include <millrace/pipeline/pipeline.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// What a run takes of the memory of its engine's device.
class DeviceMemoryPlan {
 public:
  explicit DeviceMemoryPlan(const nn::Engine& engine) : memory_(engine.device_memory()) {}

  /// Does nothing if steps read host memory.
  void charge(std::string name, std::uint64_t count, Bytes each);
  [[nodiscard]] Bytes charged() const noexcept { return charged_; }
  [[nodiscard]] bool fits() const { return !memory_ || charged_ <= memory_->free; }

  /// The sum, a line a part, as a pipeline's plan prints its own; empty if steps read host
  /// memory.
  [[nodiscard]] std::string text() const;
  /// Throws Error with the sum where it is more than the device has free. `largest_batch` then says
  /// which batch is sure to fit; 0: none is. `advice`: what else helps, ", or ...".
  void check(const std::function<std::int64_t()>& largest_batch,
             std::string_view advice = {}) const;

 private:
  std::optional<nn::DeviceMemory> memory_;
  std::vector<Budget::Charge> charges_;
  Bytes charged_;
};

/// The parts of a compiled model, if the device has its own memory; to a pipeline's budget
/// they go where it has none.
void charge_model(DeviceMemoryPlan& plan, const std::vector<nn::MemoryLine>& lines);

/// The largest batch in 1 to `most` for which `fits` holds, if it does for all that are smaller; 0:
/// for none.
[[nodiscard]] std::int64_t largest_that_fits(std::int64_t most,
                                             const std::function<bool(std::int64_t)>& fits);

}  // namespace millrace
