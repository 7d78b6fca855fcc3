#include <millrace/nn/make_executor.h>

#include <millrace/nn/initialize.h>

#include <vector>

namespace millrace::nn {

std::unique_ptr<Executor> make_executor(const Engine& engine, const Model& model,
                                        const CompileOptions& options, std::uint64_t seed) {
  std::unique_ptr<Executor> executor = engine.compile(model, options);
  allocate_initialised(*executor, seed);
  return executor;
}

void allocate_initialised(Executor& executor, std::uint64_t seed) {
  const Model& model = executor.model();
  executor.allocate();
  std::vector<float> weights(static_cast<std::size_t>(arena_elements(parameters(model))));
  initialize(model, seed, weights);
  executor.write(Arena::parameters, weights);
}

}  // namespace millrace::nn
