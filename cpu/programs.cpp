#include <millrace/cpu/programs.h>

#include <millrace/core/error.h>
#include <millrace/cpu/lowering.h>
#include <millrace/cpu/threads.h>

#include <algorithm>
#include <utility>

namespace millrace::cpu {
namespace {

/// Batch statistics are those of the valid samples, so a training step must have no others.
bool needs_exact_size(const nn::Model& model) {
  return std::any_of(model.layers.begin(), model.layers.end(), [](const nn::Layer& layer) {
    return layer.trainable && std::holds_alternative<nn::BatchNorm>(layer.kind);
  });
}

void add(std::vector<nn::OpTiming>& all, const Step& step) {
  const auto same = std::find_if(all.begin(), all.end(), [&](const nn::OpTiming& other) {
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

Programs::Programs(const nn::Model& model, const nn::CompileOptions& options,
                   const EngineOptions& engine, const dnnl::engine& device,
                   ParameterLayouts& layouts)
    : model_(model),
      options_(options),
      engine_(engine),
      device_(device),
      layouts_(layouts),
      needs_exact_size_(needs_exact_size(model)) {
  std::vector<std::int64_t> sizes{options.batch};
  sizes.insert(sizes.end(), options.other_batches.begin(), options.other_batches.end());
  for (const std::int64_t size : sizes) {
    if (options.training) training_[size] = compile(size, nn::Mode::training);
    evaluation_[size] = compile(size, nn::Mode::evaluation);
  }
  for (const BySize* programs : {&training_, &evaluation_}) {
    for (const auto& [size, program] : *programs) {
      activations_ = std::max(activations_, program->activations());
      scratch_ = std::max(scratch_, program->scratch());
    }
  }
}

std::unique_ptr<Program> Programs::compile(std::int64_t batch, nn::Mode mode) {
  const ThreadScope scope(engine_.threads);
  nn::Graph graph =
      nn::build_graph(model_, batch, mode, options_.loss.value_or(nn::default_loss(model_)));
  graph.label_smoothing = options_.label_smoothing;
  Lowering lowering(graph, {.seed = options_.seed, .winograd = engine_.winograd}, layouts_,
                    device_);
  return std::make_unique<Program>(std::move(lowering).run(), device_);
}

void Programs::bind(const Arenas& arenas) {
  arenas_ = arenas;
  for (BySize* programs : {&training_, &evaluation_}) {
    for (auto& [size, program] : *programs) program->bind(arenas, layouts_);
  }
}

void Programs::unbind() {
  arenas_ = {};
  for (BySize* programs : {&training_, &evaluation_}) {
    for (auto& [size, program] : *programs) program->unbind();
  }
}

Program& Programs::training(std::int64_t samples) {
  if (!options_.training) {
    throw Error("cpu: the model was compiled without training; set CompileOptions::training");
  }
  const auto fitting = training_.lower_bound(samples);
  if (!needs_exact_size_ || fitting->first == samples) return *fitting->second;
  auto program = compile(samples, nn::Mode::training);
  if (program->activations() > activations_ || program->scratch() > scratch_) {
    throw Error(concat("cpu: a step of ", samples, " samples needs more memory than was planned; ",
                       "name ", samples, " in CompileOptions::other_batches"));
  }
  program->bind(arenas_, layouts_);
  return *(training_[samples] = std::move(program));
}

Program& Programs::evaluation(std::int64_t samples) {
  return *evaluation_.lower_bound(samples)->second;
}

std::vector<nn::OpTiming> Programs::timings() const {
  std::vector<nn::OpTiming> result;
  for (const BySize* programs : {&training_, &evaluation_}) {
    for (const auto& [size, program] : *programs) {
      for (const Step& step : program->steps()) add(result, step);
    }
  }
  return result;
}

void Programs::reset_timings() {
  for (const BySize* programs : {&training_, &evaluation_}) {
    for (const auto& [size, program] : *programs) program->reset_timings();
  }
}

}  // namespace millrace::cpu
