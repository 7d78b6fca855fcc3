// Convolutions. Images are kept in the blocks of channels that the kernels work in. A pass runs in
// one of several ways, each an algorithm with layouts: the first that oneDNN has generated code
// for, or the one that the tuner finds to be the fastest.

#include <millrace/cpu/kernels/winograd.h>
#include <millrace/cpu/lower/lowering.h>
#include <millrace/nn/window.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Convolution;
using onednn::Found;
using onednn::Tag;

bool may_be_winograd(const Lowering& lowering, const Convolution& shape) {
  constexpr std::int64_t kEnoughChannels = 32;  // below, oneDNN pads them and gains nothing
  const onednn::Window& window = shape.window;
  return lowering.options().algorithms != Algorithms::direct && window.rows == 3 &&
         window.columns == 3 && window.stride == 1 &&
         onednn::dims(shape.source)[1] >= kEnoughChannels &&
         onednn::dims(shape.destination)[1] >= kEnoughChannels;
}

/// In the order in which they are preferred where nothing is timed, or where the times are alike.
std::vector<dnnl::algorithm> algorithms(const Lowering& lowering, const Convolution& shape) {
  const auto winograd = dnnl::algorithm::convolution_winograd;
  const auto direct = dnnl::algorithm::convolution_direct;
  if (!may_be_winograd(lowering, shape)) return {direct};
  if (lowering.options().algorithms == Algorithms::winograd) return {winograd, direct};
  return {direct, winograd};
}

Convolution shape_of(const Lowering& lowering, const nn::Op& op, const Shape& x, const Shape& y) {
  const auto& layer = *lowering.graph().kind<nn::Conv2D>(op);
  const nn::Window down = nn::window(x[1], layer.rows, layer.stride, layer.padding);
  const nn::Window across = nn::window(x[2], layer.columns, layer.stride, layer.padding);
  Convolution shape;
  shape.window = {layer.rows,    layer.columns, layer.stride, down.before,
                  across.before, down.after,    across.after};
  shape.source = onednn::layout(dims_of(x), Tag::any);
  shape.destination = onednn::layout(dims_of(y), Tag::any);
  shape.bias = layer.bias;
  return shape;
}

Layout image(const Layout& like, Tag tag) {
  return onednn::layout(onednn::dims(like), tag);
}

/// A pass of a convolution: what differs between the three.
struct Pass {
  const char* name;
  std::vector<int> arguments;  ///< of the kernel; the first two hold images, the third weights
  /// From, to: what a kernel's layouts make necessary; same_memory() needs nothing.
  std::function<std::vector<std::pair<Layout, Layout>>(const Way&)> conversions;
};

/// What the ways of a pass are measured by; the same for all batch sizes, so that they take the
/// same way.
std::string describe(const Lowering& lowering, const Pass& pass, const Convolution& c, bool relu) {
  const onednn::Dims x = onednn::dims(c.source);
  const onednn::Window& w = c.window;
  return concat("convolution ", pass.name, ", ", w.rows, 'x', w.columns, " stride ", w.stride,
                " padding ", w.top, ' ', w.left, ' ', w.bottom, ' ', w.right, ", ",
                lowering.options().timed_batch, 'x', x[2], 'x', x[3], 'x', x[1], " to ",
                onednn::dims(c.destination)[1], relu ? ", relu" : "", ", by ",
                lowering.options().threads);
}

template <class AnyKernel>
void add(std::vector<Way>& ways, const Pass& pass, const AnyKernel& kernel) {
  Way way{.kernel = kernel, .arguments = pass.arguments, .conversions = {}, .name = {}};
  for (const auto& [from, to] : pass.conversions(way)) {
    if (from.get_size() == 0 || to.get_size() == 0) continue;
    for (auto& reorder : reorders(from, to)) way.conversions.push_back(std::move(reorder));
  }
  way.name = concat(way.implementation(), ' ', name_of(way.at(pass.arguments[0])), ' ',
                    name_of(way.at(pass.arguments[1])), way.conversions.empty() ? "" : " +",
                    way.conversions.empty() ? "" : std::to_string(way.conversions.size()));
  const auto same = [&way](const Way& other) { return other.name == way.name; };
  if (std::none_of(ways.begin(), ways.end(), same)) ways.push_back(std::move(way));
}

/// Winograd's algorithm by our own kernel, which one thread runs; nothing where it cannot be done
/// so.
std::optional<OwnKernel> own_winograd(const Lowering& lowering, const Convolution& shape,
                                      const Pass& pass, bool is_backward, bool relu) {
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
                          .is_backward = is_backward,
                          .relu = relu};
  if (!winograd.is_possible()) return std::nullopt;
  OwnKernel own{.implementation = "millrace:winograd",
                .layouts = {{pass.arguments[0], image(shape.source, Tag::nChw16c)},
                            {pass.arguments[1], image(shape.destination, Tag::nChw16c)},
                            {DNNL_ARG_WEIGHTS,
                             onednn::layout({y[1], x[1], 3, 3},
                                            is_backward ? Tag::OIhw16o16i : Tag::OIhw16i16o)}},
                .scratch = byte_layout(winograd.scratch_bytes()),
                .loop = {}};
  if (shape.bias && !is_backward) {
    own.layouts.emplace_back(DNNL_ARG_BIAS, onednn::layout({y[1]}, Tag::a));
  }
  own.loop = [winograd, is_backward, has_bias = own.layouts.size() > 3](
                 std::span<std::byte* const> memory, Run&) {
    const auto at = [&](std::size_t i) { return reinterpret_cast<float*>(memory[i]); };
    convolve(winograd, at(is_backward ? 1 : 0), at(2), has_bias ? at(3) : nullptr,
             at(is_backward ? 0 : 1), memory.back());
  };
  return own;
}

using Images = std::vector<std::pair<Layout, Layout>>;

/// Each algorithm with each pair of image layouts, with the weights as they lie in the arena where
/// `weights` says so, then with weights as the kernel wants them.
template <class Find>
std::vector<Way> ways(const Lowering& lowering, const Pass& pass, Convolution shape,
                      const Layout& weights, const Images& images, Find&& find,
                      const std::optional<OwnKernel>& own = {}) {
  std::vector<Way> result;
  const bool is_wanted = lowering.options().algorithms == Algorithms::winograd;
  if (own && is_wanted) add(result, pass, *own);
  for (const dnnl::algorithm algorithm : algorithms(lowering, shape)) {
    for (const auto& [source, destination] : images) {
      for (const Layout& w : {weights, onednn::any(weights)}) {
        shape.algorithm = algorithm;
        shape.source = source;
        shape.destination = destination;
        shape.weights = w;
        if (const Found kernel = find(shape)) add(result, pass, *kernel);
      }
    }
  }
  if (own && !is_wanted) add(result, pass, *own);
  return result;
}

/// How a pass is done for fewer samples, in the same layouts: arguments are those of source,
/// destination and weights. Not at all by Winograd's algorithm, which would transform its weights
/// each time.
template <class Find>
Lowering::KernelForRows for_rows(const Way& way, Convolution shape, Find find) {
  const bool is_winograd = way.implementation().find("wino") != std::string::npos;
  shape.weights = way.at(way.arguments[2]);
  const Layout source = way.at(way.arguments[0]);
  const Layout destination = way.at(way.arguments[1]);
  return [=](std::int64_t rows) mutable -> Found {
    const auto from = with_rows(source, rows);
    const auto to = with_rows(destination, rows);
    if (is_winograd || !from || !to) return std::nullopt;
    shape.source = *from;
    shape.destination = *to;
    return find(shape);
  };
}

void forward(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId x = op.x();
  const Convolution shape = shape_of(lowering, op, lowering.shape(x), lowering.shape(op.y()));
  const Lowering::Made result = lowering.fuse_relu(op.y());
  const bool relu = result.relu;
  const Layout weights = lowering.parameter_layout(op.parameter(nn::Role::kernel));
  Layout expected;  // by the neighbours: what the first way makes
  Pass pass{"forward", {DNNL_ARG_SRC, DNNL_ARG_DST, DNNL_ARG_WEIGHTS}, [&](const Way& way) {
              const Layout made = way.at(DNNL_ARG_DST);
              if (expected.get_size() == 0) expected = made;
              return Images{{lowering.layout(lowering.slot_of(x)), way.at(DNNL_ARG_SRC)},
                            {weights, way.at(DNNL_ARG_WEIGHTS)},
                            {made, expected}};
            }};
  if (shape.bias) pass.arguments.push_back(DNNL_ARG_BIAS);
  const auto find = [&lowering, relu](const Convolution& c) {
    return onednn::convolution_forward(lowering.engine(), c, lowering.purpose(), relu);
  };
  // NHWC on both sides is what first layers with odd numbers of channels fall back to.
  const Way way =
      lowering.choose(op, describe(lowering, pass, shape, relu),
                      ways(lowering, pass, shape, weights,
                           {{shape.source, shape.destination},
                            {image(shape.source, Tag::nhwc), image(shape.destination, Tag::nhwc)}},
                           find, own_winograd(lowering, shape, pass, false, relu)));
  lowering.forward(op) = {way.at(DNNL_ARG_SRC), way.at(DNNL_ARG_DST)};
  lowering.append(op, way,
                  {{DNNL_ARG_SRC, x},
                   {DNNL_ARG_DST, result.value},
                   {DNNL_ARG_WEIGHTS, op.parameter(nn::Role::kernel)},
                   {DNNL_ARG_BIAS, op.parameter(nn::Role::bias)}},
                  for_rows(way, shape, find), result.detail);
}

/// The layouts of the forward pass come first: then nothing has to be converted.
Images backward_images(const Lowering::Forward& forward) {
  const auto& [source, destination] = forward;
  return {{source, destination},
          {onednn::any(source), onednn::any(destination)},
          {image(source, Tag::nhwc), image(destination, Tag::nhwc)},
          {image(source, Tag::nchw), image(destination, Tag::nChw16c)}};
}

void backward_data(Lowering& lowering, const nn::Op& op) {
  const auto [dy, dx] = std::pair(op.dy(), op.dx());
  const Convolution shape = shape_of(lowering, op, lowering.shape(dx), lowering.shape(dy));
  const Layout weights = lowering.parameter_layout(op.parameter(nn::Role::kernel));
  const Layout expected = lowering.forward(op).source;
  const Pass pass{"backward data",
                  {DNNL_ARG_DIFF_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_WEIGHTS},
                  [&](const Way& way) {
                    return Images{
                        {lowering.layout(lowering.slot_of(dy)), way.at(DNNL_ARG_DIFF_DST)},
                        {weights, way.at(DNNL_ARG_WEIGHTS)},
                        {way.at(DNNL_ARG_DIFF_SRC), expected}};
                  }};
  const auto find = [&lowering](const Convolution& c) {
    return onednn::convolution_backward_data(lowering.engine(), c);
  };
  const Way way =
      lowering.choose(op, describe(lowering, pass, shape, false),
                      ways(lowering, pass, shape, weights, backward_images(lowering.forward(op)),
                           find, own_winograd(lowering, shape, pass, true, false)));
  lowering.append(op, way,
                  {{DNNL_ARG_DIFF_SRC, dx},
                   {DNNL_ARG_DIFF_DST, dy},
                   {DNNL_ARG_WEIGHTS, op.parameter(nn::Role::kernel)}},
                  for_rows(way, shape, find));
}

void backward_weights(Lowering& lowering, const nn::Op& op) {
  const auto [x, dy] = std::pair(op.x(), op.dy());
  const Convolution shape = shape_of(lowering, op, lowering.shape(x), lowering.shape(dy));
  const Layout weights = lowering.parameter_layout(op.gradient(nn::Role::kernel));
  Pass pass{"backward weights",
            {DNNL_ARG_SRC, DNNL_ARG_DIFF_DST, DNNL_ARG_DIFF_WEIGHTS},
            [&](const Way& way) {
              const Layout source = way.at(DNNL_ARG_SRC);
              Images all{{lowering.layout(lowering.slot_of(dy)), way.at(DNNL_ARG_DIFF_DST)},
                         {way.at(DNNL_ARG_DIFF_WEIGHTS), weights}};
              if (!lowering.has_layout(x, source)) {
                all.emplace_back(lowering.layout(lowering.slot_of(x)), source);
              }
              return all;
            }};
  if (shape.bias) pass.arguments.push_back(DNNL_ARG_DIFF_BIAS);
  const auto find = [&lowering](const Convolution& c) {
    return onednn::convolution_backward_weights(lowering.engine(), c);
  };
  const Way way = lowering.choose(
      op, describe(lowering, pass, shape, false),
      ways(lowering, pass, shape, weights, backward_images(lowering.forward(op)), find));
  lowering.append(op, way,
                  {{DNNL_ARG_SRC, x},
                   {DNNL_ARG_DIFF_DST, dy},
                   {DNNL_ARG_DIFF_WEIGHTS, op.gradient(nn::Role::kernel)},
                   {DNNL_ARG_DIFF_BIAS, op.gradient(nn::Role::bias)}},
                  for_rows(way, shape, find));
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Conv2D&) {
  switch (op.pass) {
    case nn::Pass::forward: return forward(lowering, op);
    case nn::Pass::backward_data: return backward_data(lowering, op);
    case nn::Pass::backward_parameters: return backward_weights(lowering, op);
  }
}

}  // namespace millrace::cpu
