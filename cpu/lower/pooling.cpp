// Maximum, average and global average pooling, in the layout in which the image comes, and the
// backward pass of a ReLU before a maximum.

#include <millrace/cpu/kernels/averages.h>
#include <millrace/cpu/kernels/pooling.h>
#include <millrace/cpu/lower/lowering.h>
#include <millrace/nn/window.h>

#include <array>
#include <functional>
#include <optional>
#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Found;
using onednn::Kernel;
using onednn::Pooling;
using onednn::Tag;

template <class Layer>
onednn::Window window_of(const Layer& layer, const Shape& x) {
  return onednn::placed(layer.window(), x);
}

onednn::Window window_of(const nn::GlobalAvgPool&, const Shape& x) {
  return {.size = {x[1], x[2]}};
}

dnnl::algorithm algorithm_of(const nn::MaxPool2D&) {
  return dnnl::algorithm::pooling_max;
}
dnnl::algorithm algorithm_of(const nn::AvgPool2D& layer) {
  return layer.count_padding ? dnnl::algorithm::pooling_avg_include_padding
                             : dnnl::algorithm::pooling_avg_exclude_padding;
}
dnnl::algorithm algorithm_of(const nn::GlobalAvgPool&) {
  return dnnl::algorithm::pooling_avg_exclude_padding;
}

// `x` and `y` are the shapes of the forward operation.
template <class Layer>
Pooling shape_of(const Layer& layer, const Shape& x, const Shape& y) {
  Pooling shape;
  shape.algorithm = algorithm_of(layer);
  shape.window = window_of(layer, x);
  shape.destination = onednn::layout(image_dims(y), Tag::any);
  return shape;
}

/// How a pass is done for fewer samples, in the layouts of the forward one.
template <class Find>
Lowering::KernelForRows for_rows(Pooling shape, const Lowering::Forward& layouts, Find find) {
  return [=](std::int64_t rows) mutable -> Found {
    const auto source = with_rows(layouts.source, rows);
    const auto destination = with_rows(layouts.destination, rows);
    if (!source || !destination) return std::nullopt;
    shape.source = *source;
    shape.destination = *destination;
    return find(shape);
  };
}

/// What our own kernels need to know, where they can do the training of a pooling: windows beside
/// each other, in a known order of channels.
std::optional<Windows> own_windows(const nn::MaxPool2D& layer, const Shape& x,
                                   const Layout& source) {
  constexpr std::int64_t kMostPixels = 255;  // an index is a byte
  const onednn::Window window = window_of(layer, x);
  const auto blocks = channel_blocks(source);
  const bool is_padded = window.top + window.left + window.bottom + window.right > 0;
  const bool is_square = window.size.rows == window.size.columns;
  if (!blocks || is_padded || !is_square || window.stride != window.size ||
      window.size.rows * window.size.columns > kMostPixels) {
    return std::nullopt;
  }
  return Windows{.images = blocks->samples * blocks->blocks(),
                 .rows = x[1],
                 .columns = x[2],
                 .channels = blocks->block,
                 .size = window.size.rows};
}

constexpr const char* kOwn = "max_pool";

/// The layouts of what a pooling reads and makes, then of its indices; `uses` says which of them a
/// step has, in its order.
ForRows own_for_rows(Windows windows, const Lowering::Forward& layouts,
                     const std::vector<int>& uses, std::function<Loop(const Windows&)> loop) {
  const std::int64_t batch = onednn::dims(layouts.source)[0];
  return [=](std::int64_t rows) -> std::optional<Step> {
    const auto source = with_rows(layouts.source, rows);
    const auto destination = with_rows(layouts.destination, rows);
    if (!source || !destination) return std::nullopt;
    Windows some = windows;
    some.images = windows.images / batch * rows;
    Step step{.implementation = concat("millrace:", kOwn), .loop = loop(some)};
    const std::array all{*source, *destination,
                         byte_layout(destination->get_size() / sizeof(float))};
    for (const int use : uses) step.uses.push_back({.layout = all[static_cast<std::size_t>(use)]});
    return step;
  };
}

Loop own_forward(const Windows& windows) {
  return [windows](std::span<std::byte* const> memory, Run&) {
    max_pool(windows, reinterpret_cast<const float*>(memory[0]),
             reinterpret_cast<float*>(memory[1]), reinterpret_cast<std::uint8_t*>(memory[2]));
  };
}

/// With what the pooling made after the others: the ReLU's work too.
Loop own_backward(const Windows& windows) {
  return [windows](std::span<std::byte* const> memory, Run&) {
    const auto* const y = memory.size() > 3 ? reinterpret_cast<const float*>(memory[3]) : nullptr;
    max_pool_backward(windows, reinterpret_cast<const float*>(memory[0]), y,
                      reinterpret_cast<const std::uint8_t*>(memory[1]),
                      reinterpret_cast<float*>(memory[2]));
  };
}

/// Returns whether it could be done.
bool forward_by_own(Lowering& lowering, const nn::Op& op, const nn::MaxPool2D& layer) {
  const auto [x, y] = std::pair(op.x(), op.y());
  const SlotId from = lowering.slot_of(x);
  const Layout source = lowering.layout(from);
  const auto windows = own_windows(layer, lowering.shape(x), source);
  const auto destination = in_order_of(source, dims_of(lowering.shape(y)));
  if (!windows || !destination) return false;
  lowering.forward(op) = {source, *destination};
  const SlotId to = lowering.make(y, *destination);
  const SlotId indices = lowering.make(op.saved(nn::MaxPool2D::kIndices),
                                       byte_layout(destination->get_size() / sizeof(float)));
  lowering.append(lowering.step_name(op), kOwn, {from, to, indices}, own_forward(*windows), true);
  lowering.can_be_cut_into(own_for_rows(*windows, lowering.forward(op), {0, 1, 2}, own_forward));
  return true;
}

/// For a pooling whose forward pass was done so.
void backward_by_own(Lowering& lowering, const nn::Op& op, const Windows& windows) {
  const auto [dy, dx] = std::pair(op.dy(), op.dx());
  const auto [source, destination] = lowering.forward(op);
  const Lowering::PooledRelu relu = lowering.relu_before(op);
  const SlotId to = lowering.make(relu.op != nullptr ? relu.op->dx() : dx, source);
  std::vector<SlotId> uses{lowering.in_layout(dy, destination),
                           lowering.slot_of(op.saved(nn::MaxPool2D::kIndices)), to};
  std::vector<int> order{1, 2, 0};
  if (relu.op != nullptr) {
    uses.push_back(lowering.in_layout(relu.pooled, destination));
    order.push_back(1);
    lowering.leave_out(*relu.op);
  }
  lowering.append(lowering.step_name(op), kOwn, uses, own_backward(windows), true);
  lowering.can_be_cut_into(own_for_rows(windows, lowering.forward(op), order, own_backward));
}

template <class Layer>
void forward(Lowering& lowering, const nn::Op& op, const Layer& layer) {
  const nn::ValueId saved = op.saved(nn::MaxPool2D::kIndices);  // a maximum's alone
  const auto purpose = saved >= 0 ? onednn::Purpose::training : onednn::Purpose::inference;
  Pooling shape = shape_of(layer, lowering.shape(op.x()), lowering.shape(op.y()));
  const Layout here = lowering.layout(lowering.slot_of(op.x()));
  std::vector<Found> found;
  for (const Layout& source :
       {here, plain_layout(here), onednn::layout(onednn::dims(here), Tag::nChw16c)}) {
    shape.source = source;
    found.push_back(onednn::pooling_forward(lowering.engine(), shape, purpose));
  }
  const Kernel kernel = lowering.choose(op, found);
  lowering.forward(op) = {kernel.at(DNNL_ARG_SRC), kernel.at(DNNL_ARG_DST)};
  lowering.append(op, {.kernel = kernel},
                  {{DNNL_ARG_SRC, op.x()}, {DNNL_ARG_DST, op.y()}, {DNNL_ARG_WORKSPACE, saved}},
                  for_rows(shape, lowering.forward(op), [&lowering, purpose](const Pooling& p) {
                    return onednn::pooling_forward(lowering.engine(), p, purpose);
                  }));
}

/// Does the work of the ReLU before the pooling on the derivative by what the pooling made. Returns
/// where the result is, or kNoSlot if there is no ReLU, or no code for this layout.
SlotId append_relu(Lowering& lowering, const Lowering::PooledRelu& relu, SlotId dy,
                   const Layout& layout) {
  if (relu.op == nullptr) return kNoSlot;
  const Found kernel = onednn::eltwise_backward(
      lowering.engine(), {dnnl::algorithm::eltwise_relu_use_dst_for_bwd}, layout);
  if (!kernel || kernel->is_reference()) return kNoSlot;
  const SlotId y = lowering.in_layout(relu.pooled, layout);
  const SlotId dx = lowering.make_in_place(-1, dy);
  lowering.append(lowering.step_name(*relu.op), *kernel,
                  {{DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DST, y}, {DNNL_ARG_DIFF_SRC, dx}});
  lowering.leave_out(*relu.op);
  return dx;
}

template <class Layer>
void backward(Lowering& lowering, const nn::Op& op, const Layer& layer) {
  const auto [dy, dx] = std::pair(op.dy(), op.dx());
  Pooling shape = shape_of(layer, lowering.shape(dx), lowering.shape(dy));
  shape.source = lowering.forward(op).source;
  shape.destination = lowering.forward(op).destination;
  const Kernel kernel = lowering.choose(op, {onednn::pooling_backward(lowering.engine(), shape)});
  const Lowering::PooledRelu relu = lowering.relu_before(op);
  const SlotId from = lowering.in_layout(dy, shape.destination);
  const SlotId masked = append_relu(lowering, relu, from, shape.destination);
  const bool has_relu = masked != kNoSlot;
  std::vector<Use> uses{
      {DNNL_ARG_DIFF_DST, has_relu ? masked : from},
      {DNNL_ARG_DIFF_SRC, lowering.make(has_relu ? relu.op->dx() : dx, shape.source)}};
  const nn::ValueId saved = op.saved(nn::MaxPool2D::kIndices);
  if (saved >= 0) uses.push_back({DNNL_ARG_WORKSPACE, lowering.slot_of(saved)});
  lowering.append(lowering.step_name(op), kernel, std::move(uses));
  lowering.can_be_cut(for_rows(shape, lowering.forward(op), [&lowering](const Pooling& p) {
    return onednn::pooling_backward(lowering.engine(), p);
  }));
}

/// A mean over parts of an image by our own loops.
void lower_averages(Lowering& lowering, const nn::Op& op, const nn::Stretches& parts) {
  const bool is_forward = op.pass == nn::Pass::forward;
  if (is_forward) {
    const Layout here = lowering.layout(lowering.slot_of(op.x()));
    const Layout source = channel_blocks(here) ? here : plain_layout(here);
    const onednn::Dims pooled = dims_of(lowering.shape(op.y()));
    lowering.forward(op) = {source, in_order_of(source, pooled).value()};
  }
  const auto [source, destination] = lowering.forward(op);
  const ChannelBlocks blocks = channel_blocks(source).value();
  const onednn::Dims image = onednn::dims(source);
  const Averages how{.images = blocks.samples * blocks.blocks(),
                     .rows = image[2],
                     .columns = image[3],
                     .channels = blocks.block,
                     .parts = parts};
  const SlotId from = lowering.in_layout(op.source(), is_forward ? source : destination);
  const SlotId to = lowering.make(op.result(), is_forward ? destination : source);
  lowering.append(lowering.step_name(op), "average", {from, to},
                  [how, is_forward](std::span<std::byte* const> memory, Run&) {
                    const auto* const read = reinterpret_cast<const float*>(memory[0]);
                    auto* const made = reinterpret_cast<float*>(memory[1]);
                    is_forward ? average(how, read, made) : average_backward(how, read, made);
                  });
}

template <class Layer>
void lower_pooling(Lowering& lowering, const nn::Op& op, const Layer& layer) {
  if (op.pass == nn::Pass::forward) return forward(lowering, op, layer);
  backward(lowering, op, layer);
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::MaxPool2D& layer) {
  const nn::ValueId saved = op.saved(nn::MaxPool2D::kIndices);
  if (op.pass == nn::Pass::forward) {
    if (saved >= 0 && forward_by_own(lowering, op, layer)) return;
  } else {
    const auto windows = own_windows(layer, lowering.shape(op.dx()), lowering.forward(op).source);
    const bool has_own_indices = onednn::dims(lowering.layout(lowering.slot_of(saved))).size() == 1;
    if (windows && has_own_indices) return backward_by_own(lowering, op, *windows);
  }
  lower_pooling(lowering, op, layer);
}

void lower(Lowering& lowering, const nn::Op& op, const nn::AvgPool2D& layer) {
  const Shape& x = lowering.shape(op.pass == nn::Pass::forward ? op.x() : op.dx());
  const auto [down, across] = nn::place(layer.window(), x[1], x[2]);
  // oneDNN would count what lies beyond the padding too.
  if (layer.count_padding && down.beyond + across.beyond > 0) {
    return lower_averages(lowering, op, stretches(layer.window(), x[1], x[2], true));
  }
  lower_pooling(lowering, op, layer);
}

void lower(Lowering& lowering, const nn::Op& op, const nn::AdaptiveAvgPool& layer) {
  const Shape& x = lowering.shape(op.pass == nn::Pass::forward ? op.x() : op.dx());
  lower_averages(lowering, op, layer.parts(x[1], x[2]));
}

void lower(Lowering& lowering, const nn::Op& op, const nn::GlobalAvgPool& layer) {
  lower_pooling(lowering, op, layer);
}

}  // namespace millrace::cpu
