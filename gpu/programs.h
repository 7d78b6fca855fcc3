#pragma once
// The programs of an executor: one for training and one for evaluation for each batch size that was
// announced. They share the executor's memory, so they need that of the largest.

#include <millrace/gpu/engine_options.h>
#include <millrace/gpu/parameters.h>
#include <millrace/gpu/plans.h>
#include <millrace/gpu/program.h>
#include <millrace/nn/engine.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace millrace::gpu {

class Programs {
 public:
  /// Compiles for all sizes. `plans` outlives this.
  Programs(const nn::Model& model, const nn::CompileOptions& options, const EngineOptions& engine,
           const ParameterPlaces& parameters, Plans& plans);

  [[nodiscard]] Bytes activations() const;
  [[nodiscard]] Bytes workspace() const;

  void bind(const Arenas& arenas);
  void unbind();

  /// The smallest that holds this many samples. training() throws Error if there is no training.
  [[nodiscard]] Program& training(std::int64_t samples);
  [[nodiscard]] Program& evaluation(std::int64_t samples);

  /// Those of all programs together, in the order of their steps.
  [[nodiscard]] std::vector<nn::OpTiming> timings() const;
  void reset_timings();

 private:
  using BySize = std::map<std::int64_t, std::unique_ptr<Program>>;
  template <class Body>
  void for_each(const Body& body) const;

  BySize training_, evaluation_;
};

}  // namespace millrace::gpu
