#include <millrace/nodes/shard_order.h>

#include <millrace/core/error.h>
#include <millrace/core/random.h>

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace millrace {
namespace {

/// Of random numbers for one pass; 0 is the place of the shuffle of a whole data set.
constexpr std::uint64_t kOfShards = 1, kOfBuffer = 2;

/// The shard that a sample lies in.
std::size_t shard_of(std::uint32_t sample, std::span<const std::uint32_t> firsts) {
  return static_cast<std::size_t>(std::upper_bound(firsts.begin(), firsts.end(), sample) -
                                  firsts.begin() - 1);
}

}  // namespace

void order_by_shards(std::span<const std::uint32_t> samples, std::span<const std::uint32_t> firsts,
                     std::uint64_t seed, std::uint32_t pass, std::uint32_t buffer,
                     std::span<std::uint32_t> order) {
  MILLRACE_CHECK(order.size() == samples.size() && buffer > 0 && !firsts.empty(),
                 "an order of all samples, from shards and a buffer");
  // Where each shard's samples begin in the order.
  std::vector<std::uint32_t> begins(firsts.size());
  for (const std::uint32_t sample : samples) ++begins[shard_of(sample, firsts)];
  std::uint32_t begin = 0;
  for (const std::uint32_t shard : permutation(static_cast<std::uint32_t>(firsts.size()),
                                               Random(seed, pass, kOfShards, Purpose::shuffle))) {
    begin += std::exchange(begins[shard], begin);
  }
  for (std::size_t i = 0; i < samples.size(); ++i) {
    order[begins[shard_of(samples[i], firsts)]++] = static_cast<std::uint32_t>(i);
  }
  // What is drawn trades places with the first one of the buffer, which stays in it.
  Random random(seed, pass, kOfBuffer, Purpose::shuffle);
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::swap(order[i], order[i + random.below(std::min<std::size_t>(buffer, order.size() - i))]);
  }
}

}  // namespace millrace
