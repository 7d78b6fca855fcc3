#pragma once
// Holds out a part of a data set for validation, each class in the same proportion.

#include <millrace/io/dataset.h>

#include <cstdint>
#include <span>
#include <vector>

namespace millrace {

/// Two lists of sample numbers, each sorted, together all samples.
struct Split {
  std::vector<std::uint32_t> train;
  std::vector<std::uint32_t> validation;
};

/// Draws floor(n * fraction) of the n samples of each class for validation, by (seed, class) alone,
/// but at least one for each side where a class has two samples or more. A class of one sample
/// trains. Fraction 0 leaves validation empty. A data set with targets is drawn from as if it had
/// one class. Throws UsageError unless 0 <= fraction < 1.
[[nodiscard]] Split split(std::span<const std::int32_t> labels, double fraction,
                          std::uint64_t seed);
[[nodiscard]] Split split(const Dataset& dataset, double fraction, std::uint64_t seed);

}  // namespace millrace
