#pragma once
// The numbers of a step that live on the device, so that a captured step never changes: kernels
// read and write them, the host sets the first group before a step and reads the last one when
// results are asked for. One for each compiled model.

#include <millrace/core/host_device.h>
#include <millrace/nn/loss_scale.h>
#include <millrace/nn/optimizers/rule.h>

#include <cstdint>

namespace millrace::gpu {

/// Of a step in a group, whose gradients one update takes: whether it begins one.
enum class Membership : std::uint32_t { none, first, later };

/// What a step is about.
struct StepNumbers {
  double learning_rate = 0;
  std::int64_t t = 0;        ///< the host's count of updates, from 1; skipped ones included
  std::int64_t samples = 0;  ///< valid rows
  std::uint32_t pass = 0;
  std::uint32_t is_masked = 0;  ///< masks are applied in this update
  Membership membership = Membership::none;
};

struct Results {
  double loss_sum, weight_sum;
  std::int64_t correct, counted;

  MILLRACE_HOST_DEVICE void add(const Results& other) {
    loss_sum += other.loss_sum;
    weight_sum += other.weight_sum;
    correct += other.correct;
    counted += other.counted;
  }
};

struct Scalars {
  // StepNumbers of the step, set before it by begin_step().
  double learning_rate;
  std::int64_t t, samples;
  std::uint32_t pass, is_masked;

  // Of the step under way.
  float unscale;                  ///< what its gradients are multiplied by to be those of the loss
  std::uint32_t found_infinite;   ///< some gradient is not finite: with loss scaling, skipped
  double penalty;                 ///< of L2 for one sample, on the weights as they were
  double clip;                    ///< what clip_global_norm multiplies by; 1 without
  nn::AnyConstants of_optimizer;  ///< Rule::Step

  nn::LossScaleState loss_scale;  ///< scale 1 without loss scaling

  // Of the current group, up to the current step.
  std::int64_t before, together;  ///< samples without this step's, and with them
  std::uint32_t in_group;         ///< the step belongs to it
  Results of_group;

  // Since they were last collected: of steps, and of groups that have had their update.
  Results results;
};

}  // namespace millrace::gpu
