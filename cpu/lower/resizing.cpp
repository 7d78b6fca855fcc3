// Images of another size: zeros around them, or pixels several times.

#include <millrace/cpu/lower/lowering.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace millrace::cpu {
namespace {

/// Images as planes of rows of pixels, which are `pixel` floats each: a block of channels.
struct Planes {
  std::int64_t count = 0, rows = 0, columns = 0, pixel = 0;
  [[nodiscard]] std::int64_t row_size() const { return columns * pixel; }
  [[nodiscard]] std::int64_t size() const { return rows * row_size(); }
};

/// Of an image [N][H][W][C] that lies so.
Planes planes_of(const Shape& shape, const Layout& layout) {
  const ChannelBlocks blocks = channel_blocks(layout).value();
  return {blocks.samples * blocks.blocks(), shape[1], shape[2], blocks.block};
}

/// The layer's input and its output lie in the same order: that in which the input comes.
Lowering::Forward find_layouts(Lowering& lowering, const nn::Op& op) {
  const Layout source = lowering.image_layout(op.x());
  const Shape& y = lowering.shape(op.y());
  const auto destination = in_order_of(source, dims_of(y));
  if (destination) return {source, *destination};
  return {plain_layout(source), plain_layout(y)};
}

using Move =
    std::function<void(const Planes& input, const Planes& output, const float* from, float* to)>;

/// `move` goes from planes like the layer's input to such like its output, or back.
void lower_move(Lowering& lowering, const nn::Op& op, const char* name, Move move) {
  const bool is_forward = op.pass == nn::Pass::forward;
  if (is_forward) lowering.forward(op) = find_layouts(lowering, op);
  const auto [source, destination] = lowering.forward(op);
  const nn::Op& forward = lowering.graph().forward_of(op);
  const Planes input = planes_of(lowering.shape(forward.x()), source);
  const Planes output = planes_of(lowering.shape(forward.y()), destination);
  const SlotId from = lowering.in_layout(op.source(), is_forward ? source : destination);
  const SlotId to = lowering.make(op.result(), is_forward ? destination : source);
  lowering.append(lowering.step_name(op), name, {from, to},
                  [=, move = std::move(move)](std::span<std::byte* const> memory, Run&) {
                    move(input, output, reinterpret_cast<const float*>(memory[0]),
                         reinterpret_cast<float*>(memory[1]));
                  });
}

void pad(const nn::ZeroPadding& layer, const Planes& input, const Planes& output, const float* x,
         float* y) {
  const std::int64_t row = input.row_size(), left = layer.left * input.pixel;
#pragma omp parallel for schedule(static)
  for (std::int64_t p = 0; p < output.count; ++p) {
    const float* from = x + p * input.size();
    float* to = std::fill_n(y + p * output.size(), layer.top * output.row_size(), 0.0F);
    for (std::int64_t r = 0; r < input.rows; ++r, from += row) {
      to = std::copy_n(from, row, std::fill_n(to, left, 0.0F));
      to = std::fill_n(to, output.row_size() - left - row, 0.0F);
    }
    std::fill_n(to, layer.bottom * output.row_size(), 0.0F);
  }
}

void crop(const nn::ZeroPadding& layer, const Planes& input, const Planes& output, const float* dy,
          float* dx) {
  const std::int64_t row = input.row_size();
#pragma omp parallel for schedule(static)
  for (std::int64_t p = 0; p < output.count; ++p) {
    const float* from = dy + p * output.size() + layer.top * output.row_size();
    from += layer.left * output.pixel;
    float* to = dx + p * input.size();
    for (std::int64_t r = 0; r < input.rows; ++r, from += output.row_size()) {
      to = std::copy_n(from, row, to);
    }
  }
}

void repeat(const nn::Upsample& layer, const Planes& input, const Planes& output, const float* x,
            float* y) {
#pragma omp parallel for schedule(static)
  for (std::int64_t p = 0; p < input.count; ++p) {
    const float* from = x + p * input.size();
    float* to = y + p * output.size();
    for (std::int64_t r = 0; r < input.rows; ++r) {
      const float* const row = to;
      for (std::int64_t c = 0; c < input.columns; ++c, from += input.pixel) {
        for (std::int64_t i = 0; i < layer.columns; ++i) to = std::copy_n(from, input.pixel, to);
      }
      for (std::int64_t i = 1; i < layer.rows; ++i) to = std::copy_n(row, output.row_size(), to);
    }
  }
}

void add_up(const nn::Upsample& layer, const Planes& input, const Planes& output, const float* dy,
            float* dx) {
#pragma omp parallel for schedule(static)
  for (std::int64_t p = 0; p < input.count; ++p) {
    const float* from = dy + p * output.size();
    float* const plane = dx + p * input.size();
    std::fill_n(plane, input.size(), 0.0F);
    for (std::int64_t r = 0; r < output.rows; ++r) {
      float* to = plane + r / layer.rows * input.row_size();
      for (std::int64_t c = 0; c < input.columns; ++c, to += input.pixel) {
        for (std::int64_t i = 0; i < layer.columns; ++i, from += input.pixel) {
          std::transform(from, from + input.pixel, to, to, std::plus<>());
        }
      }
    }
  }
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::ZeroPadding& layer) {
  const auto move = op.pass == nn::Pass::forward ? pad : crop;
  lower_move(lowering, op, "zero_padding", std::bind_front(move, layer));
}

void lower(Lowering& lowering, const nn::Op& op, const nn::Upsample& layer) {
  const auto move = op.pass == nn::Pass::forward ? repeat : add_up;
  lower_move(lowering, op, "upsample", std::bind_front(move, layer));
}

}  // namespace millrace::cpu
