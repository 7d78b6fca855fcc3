#pragma once
// The ceiling of a ReLU or ReLU6, which is all that a kernel needs to apply it to its results.

namespace millrace::cpu {

/// A rectifier makes min(max(x, 0), ceiling): infinity (ReLU), 6 (ReLU6); this where there is none.
inline constexpr float kNoRectifier = 0;

}  // namespace millrace::cpu
