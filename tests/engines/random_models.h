#pragma once
// Models that nobody would write: random graphs of all kinds of layers, small enough for float64.

#include <millrace/nn/model.h>

#include <cstdint>

namespace millrace::test {

enum class Groups { any, depthwise };  ///< depthwise: one filter a channel

/// A function of the seed: branches within branches, sums, products and parts side by side, values
/// that several layers take, frozen layers. Takes images of 1x1 to 7x7 and ends in a dense layer of
/// 3 outputs.
[[nodiscard]] nn::Model random_model(std::uint64_t seed, Groups groups = Groups::any);

}  // namespace millrace::test
