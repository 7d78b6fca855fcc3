#pragma once
// Arenas between host and device, through a piece of pinned memory: the order of nn/engine.h on the
// host's side, the physical one on the device's. Waits for the copies.

#include <millrace/core/buffer.h>
#include <millrace/gpu/context.h>
#include <millrace/gpu/device.h>
#include <millrace/gpu/parameters.h>

#include <cstddef>
#include <span>

namespace millrace::gpu {

/// Not thread-safe. Everything that is passed by reference outlives this.
class Transfer {
 public:
  Transfer(Context& context, Stream& stream, Event& done, const ParameterPlaces& places);

  /// `arena` is float32 on the device; of all parameters, or of the trainable ones. Gaps between
  /// parameters are zero in `values`.
  void read(const float* arena, bool trainable_only, std::span<float> values);
  void write(float* arena, bool trainable_only, std::span<const float> values);
  void write_bytes(void* to, std::span<const std::byte> bytes);

 private:
  /// Calls body(parameter, first row, rows, offset of the first) for pieces that fit the staging.
  template <class Body>
  void for_each_piece(bool trainable_only, const Body& body) const;
  void copy(void* to, const void* from, std::size_t bytes, Device::Copy kind);

  Context& context_;
  Stream& stream_;
  Event& done_;
  const ParameterPlaces& places_;
  Buffer staging_;  // pinned
};

}  // namespace millrace::gpu
