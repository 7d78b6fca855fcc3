#pragma once
// The programs of an executor: one for training and one for evaluation for each batch size that was
// announced. They share the executor's arenas, so the memory they need is that of the largest.

#include <millrace/cpu/engine.h>
#include <millrace/cpu/parameters.h>
#include <millrace/cpu/program.h>
#include <millrace/nn/engine.h>
#include <millrace/nn/graph.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace millrace::cpu {

class Programs {
 public:
  /// Compiles for all sizes; the first decides the layouts of the parameters. What is passed by
  /// reference outlives this.
  Programs(const nn::Model& model, const nn::CompileOptions& options, const EngineOptions& engine,
           const dnnl::engine& device, ParameterLayouts& layouts);

  [[nodiscard]] Bytes activations() const { return activations_; }
  [[nodiscard]] Bytes scratch() const { return scratch_; }

  void bind(const Arenas& arenas);
  void unbind();

  /// Throws Error if there is no training, or if the size must be met exactly, was not announced,
  /// and does not fit into the memory that was planned.
  [[nodiscard]] Program& training(std::int64_t samples);
  [[nodiscard]] Program& evaluation(std::int64_t samples);

  /// Those of all programs together, in the order of their steps.
  [[nodiscard]] std::vector<nn::OpTiming> timings() const;
  void reset_timings();

 private:
  using BySize = std::map<std::int64_t, std::unique_ptr<Program>>;
  std::unique_ptr<Program> compile(std::int64_t batch, nn::Mode mode);

  const nn::Model& model_;
  const nn::CompileOptions& options_;
  EngineOptions engine_;
  const dnnl::engine& device_;
  ParameterLayouts& layouts_;
  bool needs_exact_size_;
  BySize training_, evaluation_;
  Bytes activations_, scratch_;
  Arenas arenas_;
};

}  // namespace millrace::cpu
