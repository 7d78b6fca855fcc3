#pragma once
// Random changes to training pictures, in place, that leave their meaning alone.

#include <millrace/nodes/host_batch.h>

#include <cstdint>

namespace millrace {

struct AugmentOptions {
  bool horizontal_flip = false;  ///< mirrored left and right, with probability 0.5
  /// Surrounded by so many pixels of `fill` on each side, then cut back to size at a random place
  /// (torchvision's RandomCrop(size, padding)). 0: not.
  int crop_padding = 0;
  std::uint8_t fill = 0;

  [[nodiscard]] bool is_identity() const noexcept { return !horizontal_flip && crop_padding == 0; }
};

/// A node: Ticket -> the same Ticket. Changes valid uint8 samples of training batches only. What it
/// draws is a function of (seed, pass, position in the pass), whatever thread does it.
class Augment {
 public:
  /// Throws UsageError for a negative padding.
  Augment(AugmentOptions options, std::uint64_t seed);
  Ticket operator()(const Ticket& ticket) const;

 private:
  void change(HostBatch& batch, std::size_t row) const;

  AugmentOptions options_;
  std::uint64_t seed_;
};

}  // namespace millrace
