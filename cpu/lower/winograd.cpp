#include <millrace/cpu/lower/winograd.h>

namespace millrace::cpu {

std::int64_t groups_of(const onednn::Convolution& shape) {
  const onednn::Dims weights = onednn::dims(shape.weights);
  return weights.size() == 5 ? weights[0] : 1;
}

bool may_be_winograd(const Lowering& lowering, const onednn::Convolution& shape) {
  constexpr std::int64_t kEnoughChannels = 32;  // below, oneDNN pads them and gains nothing
  const onednn::Window& window = shape.window;
  return lowering.options().algorithms != Algorithms::direct && window.size == 3 &&
         window.stride == 1 && window.dilation == 1 && groups_of(shape) == 1 &&
         onednn::dims(shape.source)[1] >= kEnoughChannels &&
         onednn::dims(shape.destination)[1] >= kEnoughChannels;
}

std::optional<Winograd> own_winograd(const Lowering& lowering, const onednn::Convolution& shape,
                                     bool is_backward) {
  if (!may_be_winograd(lowering, shape) || lowering.options().threads > 1) return std::nullopt;
  const onednn::Dims x = onednn::dims(shape.source);
  const onednn::Dims y = onednn::dims(shape.destination);
  const onednn::Dims from = is_backward ? y : x;
  const onednn::Dims to = is_backward ? x : y;
  const onednn::Window& window = shape.window;
  const Winograd winograd{.images = from[0],
                          .from_channels = from[1],
                          .to_channels = to[1],
                          .from_rows = from[2],
                          .from_columns = from[3],
                          .to_rows = to[2],
                          .to_columns = to[3],
                          .top = is_backward ? 2 - window.top : window.top,
                          .left = is_backward ? 2 - window.left : window.left,
                          .is_backward = is_backward};
  return winograd.is_possible() ? std::optional(winograd) : std::nullopt;
}

}  // namespace millrace::cpu
