#pragma once
// The device, threads and memory of a command or a session.

#include <millrace/core/bytes.h>
#include <millrace/nn/loss_scale.h>
#include <millrace/nn/precision.h>
#include <millrace/training/option_text.h>

#include <cstdint>
#include <optional>
#include <string>

namespace millrace {

enum class Device { automatic, cpu, gpu };

struct MachineSpec {
  Device device = Device::automatic;                 ///< a GPU where there is one
  std::optional<nn::Precision> precision{};          ///< none: fp32
  std::optional<nn::LossScaleOptions> loss_scale{};  ///< of fp16; none: Keras's
  int threads = 0;                       ///< of reading and decoding; 0: the cores one may use
  int compute_threads = 0;               ///< of the model; 0: the cores one may use
  std::optional<Bytes> memory_budget{};  ///< none: half of the machine's
  int slots = 3;                         ///< batches under way
  Seconds stall_timeout{60};             ///< 0: no watch
  std::int64_t report_every = 0;         ///< steps; 0: chosen by the engine
  bool profile = true;                   ///< record what a GPU does, for report and trace
};

}  // namespace millrace
