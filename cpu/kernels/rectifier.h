#pragma once
// What kernels know of a ReLU or ReLU6 whose work they do on what they make: its ceiling.

namespace millrace::cpu {

/// A rectifier makes min(max(x, 0), ceiling): infinity (ReLU), 6 (ReLU6); this where there is none.
inline constexpr float kNoRectifier = 0;

}  // namespace millrace::cpu
