#pragma once
// Runs a graph of one mode, operation by operation, on float64 values. The reference engine has one
// for training and one for evaluation, over the same arenas.

#include <millrace/nn/engine.h>
#include <millrace/nn/graph.h>
#include <millrace/nn/reference/call.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace::nn::reference {

/// The flat arenas, as engine.h lays them out, in float64.
struct Arenas {
  std::vector<double> parameters;
  std::vector<double> working;  ///< 16-bit precisions: parameters as operations read them
  std::vector<double> gradients;
  std::vector<double> sums;  ///< of the gradients of a group, each times its batch's samples
  std::array<std::vector<double>, kMostStates> states;
  std::vector<double> masks;
  std::vector<double> average;  ///< of the trainable parameters
};

class GraphRunner {
 public:
  /// `arenas` must outlive the runner. Rounds as `precision` does (precision.h); fp32: not at all,
  /// or with `float_loops` all loops are over float32.
  GraphRunner(Graph graph, Arenas& arenas, Precision precision, bool float_loops);

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] std::uint64_t bytes() const;  ///< of all values that are not in arenas
  void allocate();
  void release();

  /// Runs all operations on the valid rows of the batch. Without labels the loss is left out.
  /// Gradients are those of the loss times `loss_scale`.
  StepResult run(const Batch& batch, std::uint64_t seed, bool with_loss = true,
                 double loss_scale = 1);

  /// The model's, of the samples of the last run: [samples][K].
  [[nodiscard]] std::span<const double> output() const;

  void measure(bool enabled);
  [[nodiscard]] const std::vector<OpTiming>& timings() const { return timings_; }

 private:
  void run_op(const Op& op, const Batch& batch, std::uint64_t seed, StepResult& result);
  [[nodiscard]] Call bind(const Op& op, const Batch& batch, std::uint64_t seed);
  void add_gradients(const Op& op);
  StepResult loss(const Op& op, const Batch& batch);

  [[nodiscard]] bool rounds() const { return storage_of(precision_) != DType::f32; }
  [[nodiscard]] bool has_working_copy(const Parameter& parameter) const;
  void refresh_working_copies();
  void round(std::span<double> values) const;
  void round_outputs(const Op& op);

  [[nodiscard]] Out rows(ValueId id);

  Graph graph_;
  Arenas& arenas_;
  Precision precision_;
  bool float_loops_;
  std::vector<LayerShape> shapes_;  ///< by layer
  std::vector<std::vector<Shape>> inputs_;
  std::vector<std::vector<double>> values_;
  std::vector<OpTiming> timings_;  ///< empty: not measured
  std::int64_t samples_ = 0;       ///< of the current batch
  double loss_scale_ = 1;          ///< of the current step
};

}  // namespace millrace::nn::reference
