#include <millrace/core/random.h>

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace millrace {
namespace {

constexpr std::uint32_t low(std::uint64_t x) {
  return static_cast<std::uint32_t>(x);
}
constexpr std::uint32_t high(std::uint64_t x) {
  return static_cast<std::uint32_t>(x >> 32);
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c,
                                    std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c[2];
    c = {high(b) ^ c[1] ^ key[0], low(b), high(a) ^ c[3] ^ key[1], low(a)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return c;
}

Random::Random(std::uint64_t seed, std::uint32_t pass, std::uint64_t position,
               Purpose purpose) noexcept
    : counter_{0, pass, low(position), (high(position) << 8) | static_cast<std::uint32_t>(purpose)},
      key_{low(seed), high(seed)} {}

std::uint32_t Random::bits() noexcept {
  if (used_ == 4) {
    block_ = philox(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[static_cast<std::size_t>(used_++)];
}

double Random::uniform() noexcept {
  const std::uint64_t upper = bits();
  const std::uint64_t word = (upper << 32) | bits();
  return static_cast<double>(word >> 11) * 0x1p-53;
}

double Random::uniform(double low_end, double high_end) noexcept {
  return low_end + (high_end - low_end) * uniform();
}

std::uint64_t Random::below(std::uint64_t n) noexcept {
  // Values under `uneven` would make the small remainders more likely than the others.
  const std::uint64_t uneven = (0 - n) % n;
  for (;;) {
    const std::uint64_t upper = bits();
    const std::uint64_t word = (upper << 32) | bits();
    if (word >= uneven) return word % n;
  }
}

double Random::normal() noexcept {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

void shuffle(std::span<std::uint32_t> values, Random random) {
  for (std::size_t i = values.size(); i > 1; --i) {
    std::swap(values[i - 1], values[static_cast<std::size_t>(random.below(i))]);
  }
}

std::vector<std::uint32_t> permutation(std::uint32_t n, Random random) {
  std::vector<std::uint32_t> order(n);
  std::iota(order.begin(), order.end(), 0U);
  shuffle(order, random);
  return order;
}

}  // namespace millrace
