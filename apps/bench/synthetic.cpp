#include "apps/bench/synthetic.h"

#include <millrace/core/error.h>
#include <millrace/core/random.h>

#include <algorithm>
#include <cstring>

namespace millrace::apps {

void fill_random(std::span<std::uint8_t> bytes, std::uint64_t seed, std::uint64_t index) {
  Random random(seed, 0, index, Purpose::synthetic);
  while (!bytes.empty()) {
    const std::uint32_t bits = random.bits();
    const std::size_t count = std::min(bytes.size(), sizeof(bits));
    std::memcpy(bytes.data(), &bits, count);
    bytes = bytes.subspan(count);
  }
}

SyntheticDataset::SyntheticDataset(Shape sample, std::uint32_t size, std::int64_t classes,
                                   std::uint64_t seed)
    : sample_(sample), size_(size), seed_(seed) {
  for (std::int64_t i = 0; i < classes; ++i) classes_.push_back(std::to_string(i));
}

std::string SyntheticDataset::name(std::uint32_t index) const {
  return concat("synthetic #", index);
}

void SyntheticDataset::load(std::uint32_t index, TensorView target, Filter, Decoder&) const {
  MILLRACE_CHECK(target.shape == sample_, "synthetic samples are ", to_string(sample_), ", not ",
                 to_string(target.shape));
  if (dtype() == DType::u8) {
    fill_random(target.as<std::uint8_t>(), seed_, index);
    return;
  }
  Random random(seed_, 0, index, Purpose::synthetic);
  for (float& feature : target.as<float>()) feature = static_cast<float>(random.uniform());
}

}  // namespace millrace::apps
