#include <millrace/gpu/memory_plan.h>

#include <millrace/gpu/executor_memory.h>

namespace millrace::gpu {

std::vector<nn::MemoryLine> plan_memory(const nn::Model& model, const nn::CompileOptions& options,
                                        nn::Precision precision, Bytes workspace) {
  nn::validate(options);
  AssumedPlans plans(workspace);
  const ParameterPlaces parameters(nn::parameters(model), precision);
  const Lowering::Options lowering{.precision = precision,
                                   .seed = options.seed,
                                   .optimizer = options.optimizer,
                                   .gradient = options.gradient};
  const Programs programs(model, options, lowering, parameters, plans);
  return memory_needs(programs, parameters, options, precision).lines();
}

}  // namespace millrace::gpu
