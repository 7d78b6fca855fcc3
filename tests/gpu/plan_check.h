#pragma once
// Whether cuDNN has a good way to do a convolution on a card that need not be here: plans are built
// from the card's description and can be judged, though not run.

#include <millrace/core/bytes.h>
#include <millrace/gpu/operations.h>

#include <string>

namespace millrace::gpu {

/// The first plan that passes the engine's filters (see Device::plan).
struct PlanReport {
  bool exists = false;
  std::string plan;           ///< what cuDNN calls it: "eng32_k2=2_k6=2"
  bool tensor_cores = false;  ///< cuDNN's notes on it
  bool deterministic = false;
  bool compiled_at_run_time = false;
  Bytes workspace;
  Bytes serialized;  ///< of the plan, as cuDNN writes it
};

/// `device_json`: cuDNN's description of a device ("deviceVer": 900, "multiProcessorCount": 132,
/// ...). Throws Error without cuDNN 9.8 or newer and where the description is not one. Thread-safe.
[[nodiscard]] PlanReport check_plan(const Convolution& convolution, const std::string& device_json,
                                    Bytes workspace);

}  // namespace millrace::gpu
