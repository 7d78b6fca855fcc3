#include <millrace/gpu/programs.h>

#include <millrace/core/error.h>
#include <millrace/gpu/lower/lowering.h>

#include <algorithm>

namespace millrace::gpu {
namespace {

void add(std::vector<nn::OpTiming>& all, const Step& step) {
  const auto same = std::ranges::find_if(all, [&](const nn::OpTiming& other) {
    return other.name == step.name && other.implementation == step.implementation;
  });
  if (same == all.end()) {
    all.push_back({step.name, step.implementation, step.seconds, step.calls});
    return;
  }
  same->seconds += step.seconds;
  same->calls += step.calls;
}

}  // namespace

template <class Body>
void Programs::for_each(const Body& body) const {
  for (const BySize* programs : {&training_, &evaluation_}) {
    for (const auto& [size, program] : *programs) body(*program);
  }
}

Programs::Programs(const nn::Model& model, const nn::CompileOptions& options,
                   const EngineOptions& engine, const ParameterPlaces& parameters, Plans& plans) {
  const Lowering::Options lowering{.precision = engine.precision,
                                   .seed = options.seed,
                                   .optimizer = options.optimizer,
                                   .gradient = options.gradient,
                                   .accumulate = options.accumulate,
                                   .average = options.average,
                                   .loss_scale = engine.loss_scale};
  const auto compile = [&](std::int64_t batch, nn::Mode mode) {
    const nn::Graph graph =
        nn::build_graph(model, batch, mode, options.loss.value_or(nn::default_loss(model)),
                        options.label_smoothing);
    return std::make_unique<Program>(Lowering(graph, lowering, parameters, plans).run());
  };
  std::vector<std::int64_t> sizes{options.batch};
  sizes.insert(sizes.end(), options.other_batches.begin(), options.other_batches.end());
  for (const std::int64_t size : sizes) {
    if (options.training) training_[size] = compile(size, nn::Mode::training);
    evaluation_[size] = compile(size, nn::Mode::evaluation);
  }
}

Bytes Programs::activations() const {
  Bytes most;
  for_each([&](const Program& program) { most = std::max(most, program.activations()); });
  return most;
}

Bytes Programs::workspace() const {
  Bytes most;
  for_each([&](const Program& program) { most = std::max(most, program.workspace()); });
  return most;
}

void Programs::bind(const Arenas& arenas) {
  for_each([&](Program& program) { program.bind(arenas); });
}

void Programs::unbind() {
  for_each([](Program& program) { program.unbind(); });
}

Program& Programs::training(std::int64_t samples) {
  if (training_.empty()) {
    throw Error("gpu: the model was compiled without training; set CompileOptions::training");
  }
  return *training_.lower_bound(samples)->second;
}

Program& Programs::evaluation(std::int64_t samples) {
  return *evaluation_.lower_bound(samples)->second;
}

std::vector<nn::OpTiming> Programs::timings() const {
  std::vector<nn::OpTiming> result;
  for_each([&](const Program& program) {
    for (const Step& step : program.steps()) add(result, step);
  });
  return result;
}

void Programs::reset_timings() {
  for_each([](Program& program) { program.reset_timings(); });
}

}  // namespace millrace::gpu
