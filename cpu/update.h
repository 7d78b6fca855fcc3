#pragma once
// Everything between gradients and new weights, over the engine's own arenas: L2, clipping, the
// optimizer, averages, masks. Work is divided into fixed pieces of one parameter each, small enough
// for a core's cache, so that all of it takes one pass over memory, and one before it if a clip
// must know a norm first. Sums are made piece by piece in a fixed order, so that results depend on
// neither the number of threads nor which of them is faster.

#include <millrace/cpu/parameters.h>
#include <millrace/cpu/team.h>
#include <millrace/nn/engine.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace::cpu {

/// The trainable part of the engine's arenas; empty if there is none. The gradients are the sum
/// of `partial`, which is written into the first of it; the others end where parameters begin that
/// only the first has gradients of.
struct FlatArenas {
  using States = std::array<std::span<float>, nn::kMostStates>;
  std::span<float> weights;
  States states;
  std::span<const float> masks;
  std::span<float> averages;
  std::span<const std::span<float>> partial;
  [[nodiscard]] std::span<float> gradients() const { return partial.front(); }
};

/// Batches whose gradients one update takes.
struct Group {
  std::span<float> sums;     ///< of their gradients, each times its batch's samples
  std::int64_t samples = 0;  ///< of those that were added
};

class Updater {
 public:
  /// The options are valid, the layouts placed.
  Updater(const nn::CompileOptions& options, const ParameterLayouts& layouts, Team& team);

  /// One step (nn::update's, with L2 and clips before and masks after it). Leaves in the gradients
  /// what the optimizer was given; returns penalty() of the weights as they were. Allocates
  /// nothing.
  double update(double learning_rate, std::int64_t t, const FlatArenas& arenas);

  /// Adds the gradients of a batch of this many samples to those of its group.
  void accumulate(std::int64_t samples, Group& group, const FlatArenas& arenas);
  /// update() by the mean over the group's samples.
  double update(double learning_rate, std::int64_t t, const Group& group, const FlatArenas& arenas);

  /// Adds up the partial gradients, with the part of L2; returns the penalty.
  double add_up(const FlatArenas& arenas);

  /// Exchanges weights and averages.
  void swap_averages(const FlatArenas& arenas);

  /// l2 * (sum of squares of the trainable kernels).
  [[nodiscard]] double penalty(std::span<const float> weights);

 private:
  struct Piece {
    std::size_t offset = 0, count = 0;  // elements
    std::size_t parameter = 0;
    bool is_penalised = false;
  };
  template <class Body>
  void for_each_piece(Body&& body);
  /// Makes a piece's gradients of the partial ones.
  void sum(const Piece& piece, const FlatArenas& arenas) const;
  /// The same, with those of L2.
  void gather(std::size_t piece, const FlatArenas& arenas);
  /// Instead of gather(), from the sums of a group.
  void divide(std::size_t piece, const Group& group, const FlatArenas& arenas);
  /// From gradients, which make_gradients(piece) makes, to new weights.
  template <class MakeGradients>
  double step(double learning_rate, std::int64_t t, const FlatArenas& arenas,
              MakeGradients&& make_gradients);
  void penalise(std::size_t piece, const FlatArenas& arenas);
  void find_factors();
  /// What follows the optimizer: averages and masks.
  void finish(const Piece& piece, const FlatArenas& arenas) const;
  void limit(const Piece& piece, std::span<float> gradients) const;
  [[nodiscard]] double summed_penalty() const;
  [[nodiscard]] bool has_norm_clip() const {
    return gradient_.clip_norm > 0 || gradient_.clip_global_norm > 0;
  }

  nn::OptimizerOptions optimizer_;
  nn::GradientOptions gradient_;
  float share_;  // of the new weights in averages
  Team& team_;
  std::vector<Piece> pieces_;
  std::vector<double> weight_squares_;    // by piece: sum of w^2, 0 unless penalised
  std::vector<double> gradient_squares_;  // by piece
  std::vector<double> factors_;           // by parameter: what clipping by a norm multiplies by
};

}  // namespace millrace::cpu
