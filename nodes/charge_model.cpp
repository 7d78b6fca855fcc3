#include <millrace/nodes/charge_model.h>

#include <millrace/nn/make_executor.h>

namespace millrace {

void charge_model(Pipeline& pipeline, const nn::Engine& engine,
                  const std::vector<nn::MemoryLine>& lines) {
  if (!engine.shares_host_memory()) return;
  for (const nn::MemoryLine& line : lines) pipeline.charge("model: " + line.name, 1, line.bytes);
}

std::shared_ptr<nn::Executor> make_executor(Pipeline& pipeline, const nn::Engine& engine,
                                            const nn::Model& model,
                                            const nn::CompileOptions& options, std::uint64_t seed) {
  std::shared_ptr<nn::Executor> executor = engine.compile(model, options);
  charge_model(pipeline, engine, executor->memory());
  pipeline.check_budget();
  nn::allocate_initialised(*executor, seed);
  return executor;
}

}  // namespace millrace
