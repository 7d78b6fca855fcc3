#include <millrace/nn/window.h>

#include <algorithm>

namespace millrace::nn {

const char* to_string(Padding padding) noexcept {
  return padding == Padding::same ? "same" : "valid";
}

Window window(std::int64_t extent, std::int64_t size, std::int64_t stride,
              Padding padding) noexcept {
  if (padding == Padding::valid) {
    return {.output = extent < size ? 0 : (extent - size) / stride + 1};
  }
  const std::int64_t output = (extent + stride - 1) / stride;
  const std::int64_t missing = std::max<std::int64_t>((output - 1) * stride + size - extent, 0);
  return {.output = output, .before = missing / 2, .after = missing - missing / 2};
}

}  // namespace millrace::nn
