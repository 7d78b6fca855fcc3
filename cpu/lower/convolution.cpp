// Convolutions. Images are kept in the blocks of channels that the kernels work in. A pass runs in
// one of several ways, each an algorithm with layouts: the first that oneDNN has generated code
// for, or the one that the tuner finds to be the fastest.

#include <millrace/cpu/lower/folded_norm.h>
#include <millrace/cpu/lower/winograd.h>
#include <millrace/nn/window.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Convolution;
using onednn::Found;
using onednn::Tag;

/// In the order in which they are preferred where nothing is timed, or where the times are alike.
std::vector<dnnl::algorithm> algorithms(const Lowering& lowering, const Convolution& shape) {
  const auto winograd = dnnl::algorithm::convolution_winograd;
  const auto direct = dnnl::algorithm::convolution_direct;
  if (!may_be_winograd(lowering, shape)) return {direct};
  if (lowering.options().algorithms == Algorithms::winograd) return {winograd, direct};
  return {direct, winograd};
}

Convolution shape_of(const Lowering& lowering, const nn::Op& op, const Shape& x, const Shape& y,
                     const Layout& weights) {
  const auto& layer = *lowering.graph().kind<nn::Conv2D>(op);
  Convolution shape;
  shape.window = onednn::placed(layer.window(), x);
  shape.weights = onednn::any(weights);
  shape.source = onednn::layout(dims_of(x), Tag::any);
  shape.destination = onednn::layout(dims_of(y), Tag::any);
  shape.bias = layer.bias;
  return shape;
}

Layout image(const Layout& like, Tag tag) {
  return onednn::layout(onednn::dims(like), tag);
}

using Images = std::vector<std::pair<Layout, Layout>>;

/// A pass of a convolution: what differs between the three.
struct Pass {
  const char* name;
  /// Of the kernel; the first two hold images, the third weights.
  std::vector<Lowering::Argument> arguments;
  Convolution shape;  ///< layouts are left open
  Layout weights;     ///< where they lie in the arena
  onednn::After after{};
  bool has_norm = false;  ///< which the kernel does by its weights; timed as without it
  /// From, to: what a kernel's layouts make necessary; same_memory() needs nothing.
  std::function<Images(const Way&)> conversions;
};

std::string rectifier_name(float ceiling) {
  if (ceiling == kNoRectifier) return "";
  return std::isinf(ceiling) ? ", relu" : concat(", relu", ceiling);
}

/// What the ways of a pass are measured by; the same for all batch sizes, so that they take the
/// same way.
std::string describe(const Lowering& lowering, const Pass& pass) {
  const onednn::Dims x = onednn::dims(pass.shape.source);
  const onednn::Window& w = pass.shape.window;
  const std::int64_t groups = groups_of(pass.shape);
  const onednn::After after = pass.has_norm ? onednn::After() : pass.after;
  return concat("convolution ", pass.name, ", ", w.size.rows, 'x', w.size.columns, " stride ",
                to_string(w.stride),
                w.dilation == 1 ? "" : concat(" dilation ", to_string(w.dilation)), " padding ",
                w.top, ' ', w.left, ' ', w.bottom, ' ', w.right, ", ",
                lowering.options().timed_batch, 'x', x[2], 'x', x[3], 'x', x[1], " to ",
                onednn::dims(pass.shape.destination)[1],
                groups == 1 ? "" : concat(", ", groups, " groups"), after.adds ? ", add" : "",
                rectifier_name(after.ceiling), ", by ", lowering.options().threads);
}

template <class AnyKernel>
void add(std::vector<Way>& ways, const Pass& pass, const AnyKernel& kernel) {
  Way way{.kernel = kernel};
  for (const auto& [argument, value, slot] : pass.arguments) {
    if (way.at(argument).get_size() > 0) way.arguments.push_back(argument);
  }
  for (const auto& [from, to] : pass.conversions(way)) {
    if (from.get_size() == 0 || to.get_size() == 0) continue;
    for (auto& reorder : reorders(from, to)) way.conversions.push_back(std::move(reorder));
  }
  way.name = concat(way.implementation(), ' ', name_of(way.at(way.arguments[0])), ' ',
                    name_of(way.at(way.arguments[1])), way.conversions.empty() ? "" : " +",
                    way.conversions.empty() ? "" : std::to_string(way.conversions.size()));
  const auto same = [&way](const Way& other) { return other.name == way.name; };
  if (std::none_of(ways.begin(), ways.end(), same)) ways.push_back(std::move(way));
}

std::optional<OwnKernel> own_kernel(const Lowering& lowering, const Pass& pass, bool is_backward) {
  const Convolution& shape = pass.shape;
  std::optional<Winograd> winograd = own_winograd(lowering, shape, is_backward);
  if (!winograd) return std::nullopt;
  winograd->adds = pass.after.adds;
  winograd->ceiling = pass.after.ceiling;
  const onednn::Dims x = onednn::dims(shape.source);
  const onednn::Dims y = onednn::dims(shape.destination);
  OwnKernel own{.implementation = "millrace:winograd",
                .layouts = {{pass.arguments[0].argument, image(shape.source, Tag::nChw16c)},
                            {pass.arguments[1].argument, image(shape.destination, Tag::nChw16c)},
                            {DNNL_ARG_WEIGHTS,
                             onednn::layout({y[1], x[1], 3, 3},
                                            is_backward ? Tag::OIhw16o16i : Tag::OIhw16i16o)}},
                .scratch = byte_layout(winograd->scratch_bytes()),
                .loop = {}};
  if (shape.bias && !is_backward) {
    own.layouts.emplace_back(DNNL_ARG_BIAS, onednn::layout({y[1]}, Tag::a));
  }
  own.loop = [winograd = *winograd, is_backward, has_bias = own.layouts.size() > 3](
                 std::span<std::byte* const> memory, Run&) {
    const auto at = [&](std::size_t i) { return reinterpret_cast<float*>(memory[i]); };
    convolve(winograd, at(is_backward ? 1 : 0), at(2), has_bias ? at(3) : nullptr,
             at(is_backward ? 0 : 1), memory.back());
  };
  return own;
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

/// The best of the pass's ways: each algorithm with each pair of image layouts, with the weights as
/// they lie in the arena, then with weights as the kernel wants them.
template <class Find>
Way choose(Lowering& lowering, const nn::Op& op, const Pass& pass, const Images& images, Find find,
           const std::optional<OwnKernel>& own = {}) {
  std::vector<Way> ways;
  const bool is_wanted = lowering.options().algorithms == Algorithms::winograd;
  if (own && is_wanted) add(ways, pass, *own);
  for (const dnnl::algorithm algorithm : algorithms(lowering, pass.shape)) {
    for (const auto& [source, destination] : images) {
      for (const Layout& weights : {pass.weights, onednn::any(pass.weights)}) {
        const Convolution shape{algorithm,   pass.shape.window, source,
                                destination, weights,           pass.shape.bias};
        if (const Found kernel = find(shape)) add(ways, pass, *kernel);
      }
    }
  }
  if (own && !is_wanted) add(ways, pass, *own);
  return lowering.choose(op, describe(lowering, pass), std::move(ways));
}

template <class Find>
void append(Lowering& lowering, const nn::Op& op, const Pass& pass, const Images& images, Find find,
            const std::optional<OwnKernel>& own = {}) {
  const Way way = choose(lowering, op, pass, images, find, own);
  lowering.append(op, way, pass.arguments, for_rows(way, pass.shape, find));
}

/// Whether a kernel can add to what lies in a slot as well: by Winograd's algorithm, which is worth
/// more than a sum, if that is our own; else only where it makes that slot's layout anyway.
bool can_add_into(const Lowering& lowering, Convolution shape, const onednn::After& after,
                  SlotId slot) {
  if (may_be_winograd(lowering, shape)) {
    return own_winograd(lowering, shape, false) &&
           lowering.layout(slot) == image(shape.destination, Tag::nChw16c);
  }
  const auto find = [&](const onednn::After& behind) {
    return onednn::convolution_forward(lowering.engine(), shape, lowering.purpose(), behind);
  };
  const Found alone = find({});
  if (!alone || alone->at(DNNL_ARG_DST) != lowering.layout(slot)) return false;
  shape.destination = lowering.layout(slot);
  const Found adding = find(after);
  return adding && !adding->is_reference();
}

/// What the kernel makes that makes the value `y`, of the convolution or of a norm that it does.
Lowering::Made fuse(Lowering& lowering, nn::ValueId y, const Convolution& shape) {
  const nn::ValueUses& uses = lowering.uses();
  const Lowering::Sum sum = lowering.sum_behind(y);
  if (sum.op != nullptr && lowering.may_add_into(sum) &&
      can_add_into(lowering, shape, {true, uses.rectifier_of(sum.op->y()).ceiling},
                   lowering.slot_of(sum.other))) {
    return lowering.fuse(y, sum);
  }
  // oneDNN's kernels for Winograd's algorithm do a ReLU alone.
  const bool loses_winograd = uses.relu_of(y) == nullptr && may_be_winograd(lowering, shape) &&
                              !own_winograd(lowering, shape, false);
  return loses_winograd ? Lowering::Made{.value = y} : lowering.fuse(y);
}

void forward(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId x = op.x(), weights = op.parameter(nn::Role::kernel);
  const Layout arena = lowering.parameter_layout(weights);
  Convolution shape = shape_of(lowering, op, lowering.shape(x), lowering.shape(op.y()), arena);
  const nn::Op* const norm = foldable_norm(lowering, op);
  if (norm != nullptr) {
    shape.bias = true;
    lowering.leave_out(*norm);
  }
  const Lowering::Made made = fuse(lowering, norm != nullptr ? norm->y() : op.y(), shape);
  Layout expected;  // by the neighbours: what the first way makes
  const Pass pass{.name = "forward",
                  .arguments = {{DNNL_ARG_SRC, x},
                                {DNNL_ARG_DST, made.value},
                                {DNNL_ARG_WEIGHTS, weights},
                                {DNNL_ARG_BIAS, op.parameter(nn::Role::bias)}},
                  .shape = shape,
                  .weights = arena,
                  .after = made.after(),
                  .has_norm = norm != nullptr,
                  .conversions = [&](const Way& way) {
                    const Layout result = way.at(DNNL_ARG_DST);
                    if (expected.get_size() == 0) expected = result;
                    return Images{{lowering.layout(lowering.slot_of(x)), way.at(DNNL_ARG_SRC)},
                                  {pass.weights, way.at(DNNL_ARG_WEIGHTS)},
                                  {result, expected}};
                  }};
  // NHWC on both sides is what first layers with odd numbers of channels fall back to.
  Images images{{shape.source, shape.destination},
                {image(shape.source, Tag::nhwc), image(shape.destination, Tag::nhwc)}};
  if (made.added >= 0) {
    const SlotId sum = lowering.make_in_place(made.value, lowering.slot_of(made.added));
    images = {{shape.source, lowering.layout(sum)}};
  }
  const auto find = [&lowering, after = made.after()](const Convolution& c) {
    return onednn::convolution_forward(lowering.engine(), c, lowering.purpose(), after);
  };
  const Way way = choose(lowering, op, pass, images, find, own_kernel(lowering, pass, false));
  auto arguments = pass.arguments;
  std::string detail = made.detail();
  if (norm != nullptr) {
    const FoldedNorm folded = fold(lowering, op, *norm, way.at(DNNL_ARG_WEIGHTS));
    arguments[2].slot = folded.kernel;
    arguments[3].slot = folded.bias;
    detail = concat("+ norm", detail.empty() ? "" : " ", detail);
  }
  lowering.append(op, way, arguments, for_rows(way, pass.shape, find), detail);
  lowering.forward(op) = {way.at(DNNL_ARG_SRC), way.at(DNNL_ARG_DST)};
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
  const nn::ValueId dy = op.dy(), dx = op.dx(), weights = op.parameter(nn::Role::kernel);
  const Layout arena = lowering.parameter_layout(weights);
  const Pass pass{
      .name = "backward data",
      .arguments = {{DNNL_ARG_DIFF_SRC, dx}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_WEIGHTS, weights}},
      .shape = shape_of(lowering, op, lowering.shape(dx), lowering.shape(dy), arena),
      .weights = arena,
      .conversions = [&](const Way& way) {
        return Images{{lowering.layout(lowering.slot_of(dy)), way.at(DNNL_ARG_DIFF_DST)},
                      {pass.weights, way.at(DNNL_ARG_WEIGHTS)},
                      {way.at(DNNL_ARG_DIFF_SRC), lowering.forward(op).source}};
      }};
  append(
      lowering, op, pass, backward_images(lowering.forward(op)),
      [&lowering](const Convolution& c) {
        return onednn::convolution_backward_data(lowering.engine(), c);
      },
      own_kernel(lowering, pass, true));
}

void backward_weights(Lowering& lowering, const nn::Op& op) {
  const nn::ValueId x = op.x(), dy = op.dy(), weights = op.gradient(nn::Role::kernel);
  const Layout arena = lowering.parameter_layout(weights);
  const Pass pass{.name = "backward weights",
                  .arguments = {{DNNL_ARG_SRC, x},
                                {DNNL_ARG_DIFF_DST, dy},
                                {DNNL_ARG_DIFF_WEIGHTS, weights},
                                {DNNL_ARG_DIFF_BIAS, op.gradient(nn::Role::bias)}},
                  .shape = shape_of(lowering, op, lowering.shape(x), lowering.shape(dy), arena),
                  .weights = arena,
                  .conversions = [&](const Way& way) {
                    const Layout source = way.at(DNNL_ARG_SRC);
                    Images all{{lowering.layout(lowering.slot_of(dy)), way.at(DNNL_ARG_DIFF_DST)},
                               {way.at(DNNL_ARG_DIFF_WEIGHTS), pass.weights}};
                    if (!lowering.has_layout(x, source)) {
                      all.emplace_back(lowering.layout(lowering.slot_of(x)), source);
                    }
                    return all;
                  }};
  append(lowering, op, pass, backward_images(lowering.forward(op)),
         [&lowering](const Convolution& c) {
           return onednn::convolution_backward_weights(lowering.engine(), c);
         });
}

}  // namespace

void lower(Lowering& lowering, const nn::Op& op, const nn::Conv2D&) {
  switch (op.pass) {
    case nn::Pass::forward: return forward(lowering, op);
    case nn::Pass::backward_data: return backward_data(lowering, op);
    case nn::Pass::backward_parameters: return backward_weights(lowering, op);
    case nn::Pass::gradient_sum: break;  // no pass of a layer
  }
}

}  // namespace millrace::cpu
