#pragma once
// One model on two engines, of which one is the float64 reference, with the same weights and
// batches.

#include <millrace/core/random.h>
#include <millrace/nn/engine.h>
#include <millrace/nn/reference/engine.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace millrace::test {

/// The largest difference is at most this fraction of the largest value: what float32 sums of a few
/// hundred terms in any order keep.
inline constexpr double kTolerance = 1e-5;

/// How far from the reference is near enough.
struct Nearness {
  double tolerance = kTolerance;
  /// Of the difference as a vector, by the norm of the reference, instead of the largest difference
  /// by the largest value: where values are rounded to 16 bits, single ones may round the other
  /// way.
  bool by_norm = false;
};

/// A batch that owns its memory, exactly `samples` rows of it: a read beyond them is a read too
/// far.
class OwnedBatch {
 public:
  OwnedBatch(const nn::Model& model, nn::Loss loss, std::int64_t samples, std::uint64_t seed);
  [[nodiscard]] const nn::Batch& batch() const { return batch_; }
  nn::Batch& batch() { return batch_; }
  /// Gives each output a weight of its own. A third of them are 0, where the label is no number.
  /// Requires labels of [N][K].
  void weigh_outputs(std::uint64_t seed);

 private:
  std::vector<float> input_, dense_labels_, weights_;
  std::vector<std::int32_t> labels_;
  std::vector<std::uint64_t> positions_;
  nn::Batch batch_;
};

/// Weights as initialize() makes them, with biases and batch norm's values moved off 0 and 1.
[[nodiscard]] std::vector<float> random_weights(const nn::Model& model, std::uint64_t seed);

/// A compiled, allocated executor with these weights.
[[nodiscard]] std::unique_ptr<nn::Executor> executor(const nn::Engine& engine,
                                                     const nn::Model& model,
                                                     const nn::CompileOptions& options);

[[nodiscard]] std::vector<float> read(const nn::Executor& executor, nn::Arena arena);
[[nodiscard]] std::vector<float> predict(nn::Executor& executor, const nn::Batch& batch);

/// Checks `values` against `expected`; the difference is measured by the size of `expected`, or by
/// `at_least` if this is larger.
void check_close(const std::string& what, std::span<const float> values,
                 std::span<const float> expected, Nearness nearness = {}, double at_least = 0);

/// check_close for each parameter, measured by the largest size in its layer: the gradient of a
/// bias before a batch norm is zero but for rounding.
void check_arena(const nn::Executor& executor, const nn::Executor& reference, nn::Arena arena,
                 Nearness nearness = {});

/// Runs a model on both engines with batches of each of `samples`, and checks predictions, losses,
/// gradients, running statistics, and the parameters after three steps.
void check_model(const nn::Engine& tested, const nn::Engine& reference, const nn::Model& model,
                 nn::CompileOptions options, const std::vector<std::int64_t>& samples,
                 Nearness nearness = {});

/// The same of one batch whose outputs have weights of their own, masks among them.
void check_weighed_outputs(const nn::Engine& tested, const nn::Engine& reference,
                           const nn::Model& model, const nn::CompileOptions& options,
                           Nearness nearness = {});

/// Accumulates groups of batches, the second one shorter, on both engines: results and parameters,
/// and on the tested engine that of one batch of all samples of a group.
void check_groups(const nn::Engine& tested, const nn::Engine& reference, const nn::Model& model,
                  nn::CompileOptions options, Nearness nearness = {});

/// Averages of the weights after steps with masks, and after groups of batches; that they evaluate,
/// predict and are read within an AverageScope, and that all is as before behind it, to the bit.
void check_averages(const nn::Engine& tested, const nn::Engine& reference, const nn::Model& model,
                    nn::CompileOptions options, Nearness nearness = {});

/// The float64 reference, which rounds where 16-bit precisions do.
[[nodiscard]] nn::ReferenceEngine reference_for(nn::Precision precision);

}  // namespace millrace::test
