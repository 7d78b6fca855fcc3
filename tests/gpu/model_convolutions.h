#pragma once
// The convolutions that the engine asks a device for, from a model.

#include <millrace/gpu/memory_plan.h>
#include <millrace/nn/engine.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace millrace::test {

/// Of its programs for one batch size: with bias and ReLU wherever those follow, each once.
inline std::vector<gpu::Convolution> convolutions_of(const nn::Model& model, std::int64_t batch,
                                                     nn::Precision precision) {
  struct Noted : gpu::AssumedPlans {
    using AssumedPlans::AssumedPlans;
    using AssumedPlans::find;
    const gpu::ConvolutionPlan* find(const gpu::Convolution& convolution) override {
      if (std::ranges::find(all, convolution) == all.end()) all.push_back(convolution);
      return AssumedPlans::find(convolution);
    }
    std::vector<gpu::Convolution> all;
  };
  Noted plans(Bytes{});
  (void)gpu::plan_memory(model, {.batch = batch, .loss = nn::Loss::softmax_cross_entropy},
                         precision, plans);
  return plans.all;
}

}  // namespace millrace::test
