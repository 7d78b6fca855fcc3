#pragma once
// The engine on the device under test, beside the float64 reference.

#include <millrace/gpu/engine.h>
#include <millrace/nn/reference/engine.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "catch.h"
#include "engines/compare.h"

namespace millrace::test {

/// An engine and its device: a recording device of its own, or the GPU.
class TestedEngine {
 public:
  explicit TestedEngine(const gpu::EngineOptions& options = {});
  explicit TestedEngine(nn::Precision precision)
      : TestedEngine(gpu::EngineOptions{.precision = precision}) {}

  /// Fails the case if the recording device found fault with what the engine asked for, or if
  /// nothing was launched on the GPU.
  void check_device() const;

  std::shared_ptr<gpu::Device> device;
  std::shared_ptr<nn::Engine> engine;

 private:
  std::uint64_t launched_before_;
};

/// False for bf16 on a GPU that has none.
[[nodiscard]] bool computes(nn::Precision precision);

/// float32 sums in any order; products of 10 bits of mantissa; a flipped rounding of 16 bits here
/// and there.
[[nodiscard]] Nearness nearness_of(nn::Precision precision);

inline const std::vector<nn::Precision> kFp32{nn::Precision::fp32};

/// check_model in these precisions.
void check_model(const nn::Model& model, const nn::CompileOptions& options,
                 const std::vector<std::int64_t>& samples,
                 const std::vector<nn::Precision>& precisions = {
                     nn::Precision::fp32, nn::Precision::fp16, nn::Precision::bf16});

/// Uploads a batch as it is, and casts it. `pixels`: its input, where that lies on the host.
void fill(nn::DeviceInput& slot, const nn::Batch& batch, const std::byte* pixels);

/// A slot with a batch in it, uploaded and cast as it is.
[[nodiscard]] std::unique_ptr<nn::DeviceInput> slot_with(const nn::Engine& engine,
                                                         const nn::Model& model,
                                                         const nn::Batch& batch,
                                                         std::int64_t capacity);

/// The same batch, on the device.
[[nodiscard]] nn::Batch in_slot(const nn::Batch& batch, nn::DeviceInput& slot);

// What cases share.
[[nodiscard]] bool same_bits(const std::vector<float>& a, const std::vector<float>& b);
inline constexpr auto kSoftmax = nn::Loss::softmax_cross_entropy;
/// 12x10x3, with every kind of operation that a convnet of the zoo has, batch norm and dropout.
[[nodiscard]] nn::Model small_convnet();
[[nodiscard]] nn::CompileOptions adam(std::int64_t batch);

}  // namespace millrace::test
