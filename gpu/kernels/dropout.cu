#include <millrace/gpu/kernels.h>
#include <millrace/gpu/kernels/arguments.h>
#include <millrace/gpu/kernels/dropout.h>
#include <millrace/gpu/kernels/kernel.h>

#include <cmath>

namespace millrace::gpu {

Launch dropout(Type type, const void* x, void* y, const DropoutSize& size,
               const std::uint64_t* draws, const Scalars* scalars) {
  MILLRACE_CHECK(size.samples > 0 && size.pixels > 0, "dropout: no pixels");
  MILLRACE_CHECK(size.rate >= 0 && size.rate < 1, "dropout's rate is in [0, 1), not ", size.rate);
  MILLRACE_CHECK(size.layer >= 0 && size.layer < (1 << 16), "dropout knows 2^16 layers, not layer ",
                 size.layer);
  check_channels("dropout", type, size.channels, size.stored);
  check_memory("dropout", {x, y});
  const std::int64_t elements = size.samples * size.pixels * size.stored;
  const double rate = size.rate;
  return with_type(
             type,
             [&]<class T>() {
               return launch_of(
                   "dropout",
                   Dropout<T>{.x = static_cast<const T*>(x),
                              .y = static_cast<T*>(y),
                              .pixels = size.pixels,
                              .channels = size.channels,
                              .stored = size.stored,
                              .threshold = static_cast<std::uint32_t>(std::ceil(rate * 0x1p32)),
                              .operation = static_cast<std::uint32_t>(size.layer) << 8 |
                                           static_cast<std::uint32_t>(Draw::dropout),
                              .factor = static_cast<float>(1 / (1 - rate)),
                              .seed = size.seed,
                              .draws = draws,
                              .scalars = scalars},
                   elements / kChunk<T>);
             })
      .reads(x, bytes_of(type, elements))
      .reads(draws, static_cast<std::size_t>(size.samples) * sizeof(std::uint64_t))
      .reads(scalars, sizeof(Scalars))
      .writes(y, bytes_of(type, elements));
}

}  // namespace millrace::gpu
