#pragma once
// The programs of an executor: one for training and one for evaluation for each batch size that was
// announced. They share the executor's arenas, so they need the memory of the largest.
// If a batch is computed in slices, each slice has its own program, with its own arenas.

#include <millrace/cpu/lower/lowering.h>
#include <millrace/nn/engine.h>

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace millrace::cpu {

class Programs {
 public:
  /// Compiles for all sizes; the first decides the layouts of the parameters. What is passed by
  /// reference outlives this, and so does the tuner. Of `how`, what belongs to a slice or to the
  /// model's options is filled in here.
  Programs(const nn::Model& model, const nn::CompileOptions& options, const Lowering::Options& how,
           const dnnl::engine& device, ParameterLayouts& layouts);

  /// Of a slice.
  [[nodiscard]] Bytes activations(std::int64_t slice) const {
    return slice == 0 ? first_activations_ : activations_;
  }
  [[nodiscard]] Bytes scratch() const { return scratch_; }
  /// Of all slices together.
  [[nodiscard]] Bytes shared() const { return shared_; }

  /// One a slice.
  void bind(std::vector<Arenas> arenas);
  void unbind();

  using Slices = std::vector<std::unique_ptr<Program>>;  ///< a program for each slice
  /// For `samples` of the batch. Throws Error if there is no training, or if the size must be met
  /// exactly, was not announced, and does not fit into the memory that was planned.
  [[nodiscard]] const Slices& training(std::int64_t samples);
  [[nodiscard]] const Slices& evaluation(std::int64_t samples);

  /// Those of all programs together, in the order of their steps; seconds are the mean of the
  /// slices', which run side by side.
  [[nodiscard]] std::vector<nn::OpTiming> timings() const;
  void reset_timings();

 private:
  using BySize = std::map<std::int64_t, Slices>;
  Slices compile(std::int64_t samples, nn::Mode mode);
  Lowered lower(std::int64_t samples, nn::Mode mode, std::int64_t slice);
  void bind(const Slices& slices);
  template <class Visit>
  void for_all(Visit&& visit) const;
  /// Of the largest slice of a batch.
  [[nodiscard]] std::int64_t rows(std::int64_t samples) const {
    return (samples + how_.division.slices - 1) / how_.division.slices;
  }

  const nn::Model& model_;
  const nn::CompileOptions& options_;
  Lowering::Options how_;
  const dnnl::engine& device_;
  ParameterLayouts& layouts_;
  BySize training_, evaluation_;
  Bytes first_activations_, activations_, shared_, scratch_;
  std::vector<Arenas> arenas_;
};

}  // namespace millrace::cpu
