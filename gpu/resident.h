#pragma once
// The pixels of a whole data set in device memory, from which slots gather their samples.

#include <millrace/core/buffer.h>
#include <millrace/gpu/context.h>
#include <millrace/nn/device_input.h>

#include <cstdint>
#include <memory>

namespace millrace::gpu {

class ResidentMemory : public nn::ResidentPixels {
 public:
  /// Throws Error unless `pixels` is u8 or f32, there is a sample or more, and no more of them than
  /// have numbers.
  ResidentMemory(std::shared_ptr<Context> context, const Shape& sample, DType pixels,
                 std::int64_t samples);

  [[nodiscard]] Bytes bytes() const override;
  void allocate() override;
  void write(std::int64_t first, ConstTensorView pixels) override;

  // For slots.
  [[nodiscard]] const Context* context() const { return context_.get(); }
  [[nodiscard]] const Shape& sample() const { return sample_; }
  [[nodiscard]] DType pixels() const { return pixels_; }
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  /// [samples][sample]; null before allocate().
  [[nodiscard]] const std::byte* data() const { return memory_.data(); }

 private:
  [[nodiscard]] std::uint64_t sample_bytes() const;
  /// One piece through the pinned memory.
  void copy(std::byte* to, const std::byte* from, std::uint64_t bytes);

  std::shared_ptr<Context> context_;
  Shape sample_;
  DType pixels_;
  std::int64_t samples_;
  Buffer memory_;
  Buffer staging_;  // pinned
  std::unique_ptr<Event> copied_;
};

}  // namespace millrace::gpu
