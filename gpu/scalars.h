#pragma once
// The numbers of a step that live on the device, so that a captured step never changes: kernels
// read and write them, the host sets the first group before a step and reads the last one when
// somebody asks for results. One a compiled model.

#include <millrace/nn/loss_scale.h>

#include <cstdint>

namespace millrace::gpu {

struct Scalars {
  // Set before each step, by begin_step().
  double learning_rate;
  std::int64_t t;        ///< the host's count of updates, from 1; skipped ones included
  std::int64_t samples;  ///< valid rows
  std::uint32_t pass;
  std::uint32_t is_masked;  ///< masks are applied in this update

  // Of the step under way.
  float unscale;                 ///< what its gradients are multiplied by to be those of the loss
  std::uint32_t found_infinite;  ///< some gradient is not finite: with loss scaling, skipped
  double penalty;                ///< of L2 for one sample, on the weights as they were
  double clip;                   ///< what clip_global_norm multiplies by; 1 without
  double step, root_scale, keep; ///< the optimizer's constants, see kernels/update.h

  nn::LossScaleState loss_scale;  ///< scale 1 without loss scaling

  // Results since they were last collected.
  double loss_sum, weight_sum;
  std::int64_t correct, counted;
};

}  // namespace millrace::gpu
