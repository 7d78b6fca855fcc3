#pragma once
// Philox4x32-10 as core/random.h has it, for host and device.

#include <millrace/core/host_device.h>

#include <cstdint>

namespace millrace::gpu {

struct PhiloxWords {
  std::uint32_t words[4];
};

/// Ten rounds on a counter of four words under a key of two.
MILLRACE_HOST_DEVICE inline PhiloxWords philox(PhiloxWords c, std::uint64_t key) {
  auto low_key = static_cast<std::uint32_t>(key), high_key = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c.words[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57} * c.words[2];
    c = {{static_cast<std::uint32_t>(b >> 32) ^ c.words[1] ^ low_key, static_cast<std::uint32_t>(b),
          static_cast<std::uint32_t>(a >> 32) ^ c.words[3] ^ high_key,
          static_cast<std::uint32_t>(a)}};
    low_key += 0x9E3779B9;
    high_key += 0xBB67AE85;
  }
  return c;
}

}  // namespace millrace::gpu
