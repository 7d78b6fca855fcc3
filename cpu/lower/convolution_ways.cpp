#include <millrace/cpu/lower/convolution_ways.h>

#include <millrace/cpu/lower/winograd.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace millrace::cpu {
namespace {

using onednn::Convolution;
using onednn::Found;
using onednn::Tag;
using Pass = ConvolutionPass;

/// In the order in which they are preferred where nothing is timed, or where the times are alike.
std::vector<dnnl::algorithm> algorithms(const Lowering& lowering, const Convolution& shape) {
  const auto winograd = dnnl::algorithm::convolution_winograd;
  const auto direct = dnnl::algorithm::convolution_direct;
  if (!may_be_winograd(lowering, shape)) return {direct};
  if (lowering.options().algorithms == Algorithms::winograd) return {winograd, direct};
  return {direct, winograd};
}

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

}  // namespace

std::optional<OwnKernel> own_kernel(const Lowering& lowering, const Pass& pass, bool is_backward) {
  const Convolution& shape = pass.shape;
  std::optional<Winograd> winograd = own_winograd(lowering, shape, is_backward);
  if (!winograd) return std::nullopt;
  winograd->adds = pass.after.adds;
  winograd->ceiling = pass.after.ceiling;
  const onednn::Dims x = onednn::dims(shape.source);
  const onednn::Dims y = onednn::dims(shape.destination);
  OwnKernel own{.implementation = "millrace:winograd",
                .layouts = {{pass.arguments[0].argument, with_tag(shape.source, Tag::nChw16c)},
                            {pass.arguments[1].argument, with_tag(shape.destination, Tag::nChw16c)},
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

Lowering::KernelForRows for_rows(const Way& way, const Convolution& like,
                                 const FindConvolution& find) {
  Convolution shape = like;
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

Way choose(Lowering& lowering, const nn::Op& op, const Pass& pass, const Images& images,
           const FindConvolution& find, const std::optional<OwnKernel>& own) {
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

}  // namespace millrace::cpu
