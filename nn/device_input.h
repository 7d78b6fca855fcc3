#pragma once
// Batches in the memory of a device that does not share the host's. The engine makes the slots; the
// stages of a pipeline fill them: copy_to_device.h begins the upload, cast.h the cast.

#include <millrace/core/bytes.h>
#include <millrace/core/completion.h>
#include <millrace/core/shape.h>
#include <millrace/nn/move.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace millrace::nn {

/// The pixels of a whole data set in device memory: slots then take numbers of samples instead of
/// pixels. Made by an engine, which takes no memory for it before allocate().
class ResidentPixels {
 public:
  virtual ~ResidentPixels() = default;
  [[nodiscard]] virtual Bytes bytes() const = 0;  ///< of device memory
  /// Takes the memory, if it is not taken yet; samples are then undefined until write(). Throws
  /// Error where the device has not so much.
  virtual void allocate() = 0;
  /// Copies samples [first, first + n) there and waits; `pixels` is [n][sample], anywhere in host
  /// memory. One thread at a time, before the first slot is filled. Requires: allocate(). Throws
  /// Error for samples of another shape or type, and for more of them than there is room for.
  virtual void write(std::int64_t first, ConstTensorView pixels) = 0;
};

/// What a slot holds.
struct DeviceInputLayout {
  Shape sample;               ///< of the model's input: {H, W, C} or {F}
  DType pixels = DType::u8;   ///< of what is uploaded: u8 or f32
  std::int64_t capacity = 0;  ///< samples
  /// The most samples that one step reads, where a slot holds those of many; 0: all of them.
  std::int64_t step = 0;
  std::int64_t target_width = 0;  ///< K: labels are f32 [N][K]; 0: i32 [N]
  bool learns_input = false;      ///< the target is the cast input, as float32
  bool weighs_outputs = false;    ///< weights are [N][K], for losses that are means over outputs
  /// Where samples come from, of the same shape and type, made by the same engine; null: from the
  /// host with each batch.
  std::shared_ptr<const ResidentPixels> resident{};
  bool moves = false;  ///< resident images are moved as HostSamples::moves says
};

/// What an upload reads. Everything must stay as it is until the upload has ended.
struct HostSamples {
  const std::byte* pixels = nullptr;      ///< [samples][sample], in the engine's host_buffer
  std::span<const std::uint32_t> rows{};  ///< instead, where pixels are resident: which samples
  std::span<const Move> moves{};          ///< of a slot that moves; empty: they stay as they are
  std::span<const std::int32_t> labels{};
  std::span<const float> targets{};  ///< [samples][K], if K > 0
  std::span<const float> weights{};  ///< [samples], or [samples][K] where outputs are weighed
  std::span<const std::uint64_t> positions{};
  std::uint32_t pass = 0;
  std::int64_t samples = 0;
};

/// x = pixel * factor[c] + offset[c], c counting in the model's order of channels.
struct Normalization {
  std::vector<float> factor, offset;  ///< one a channel (the last dimension of a sample)
  bool swaps_channels = false;        ///< RGB to BGR
};

/// A slot in device memory. One thread at a time; the two completions end on a thread of the
/// engine's. The device itself sees to it that no upload overwrites what a step still reads.
class DeviceInput {
 public:
  virtual ~DeviceInput() = default;
  /// Begins to copy a batch. Ends when the host's memory may be used again. Throws Error for a
  /// number of a resident sample that is none.
  [[nodiscard]] virtual Completion upload(const HostSamples& samples) = 0;
  /// Begins to turn the uploaded pixels into the input that steps read, in the engine's precision.
  /// Requires: upload() before.
  [[nodiscard]] virtual Completion cast(const Normalization& normalization) = 0;
};

}  // namespace millrace::nn
