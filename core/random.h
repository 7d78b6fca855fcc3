#pragma once
// Random numbers without state: every one is a function of (seed, pass, position, purpose), so no
// result depends on which thread asked first. Philox4x32-10 of Salmon, Moraes, Dror and Shaw,
// "Parallel random numbers: as easy as 1, 2, 3" (SC 2011).

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace millrace {

/// Ten rounds of Philox on a counter of four words under a key of two.
[[nodiscard]] std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) noexcept;

/// What a stream of random numbers is for. Each purpose has its own numbers, so that adding
/// one to a recipe does not change the others. Values are part of saved runs: never reuse one.
enum class Purpose : std::uint8_t {
  shuffle = 1,
  split = 2,
  initialise = 3,
  dropout = 4,
  flip = 5,
  crop = 6,
  synthetic = 7,
  rotation = 8,
  shift = 9,
  shear = 10,
  zoom = 11,
  channel_shift = 12,
  brightness = 13,
  vertical_flip = 14,
  erasing = 15,
  shuffle_buffer = 16,
  user = 128,  ///< those of users count from here
};

/// One stream of random numbers. Cheap to make: make one for each sample and purpose. A copy
/// continues from the same place. Not thread-safe; distinct streams are independent.
class Random {
 public:
  /// `pass` is the pass through the data, `position` the place in the pass (or any other index).
  Random(std::uint64_t seed, std::uint32_t pass, std::uint64_t position, Purpose purpose) noexcept;

  std::uint32_t bits() noexcept;  ///< 32 random bits
  double uniform() noexcept;      ///< in [0, 1), 53 random bits
  /// In [low, high); rounding may give high itself, once in 2^53.
  double uniform(double low, double high) noexcept;
  std::uint64_t below(std::uint64_t n) noexcept;  ///< in [0, n), unbiased; n > 0
  double normal() noexcept;                       ///< mean 0, deviation 1 (Box-Muller)
  bool coin(double probability) noexcept { return uniform() < probability; }

 private:
  std::array<std::uint32_t, 4> counter_;
  std::array<std::uint32_t, 2> key_;
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;
};

/// Shuffles in place (Fisher-Yates).
void shuffle(std::span<std::uint32_t> values, Random random);

/// 0, 1, ..., n-1 in random order.
[[nodiscard]] std::vector<std::uint32_t> permutation(std::uint32_t n, Random random);

}  // namespace millrace
