#include <millrace/cpu/layouts.h>

#include <millrace/core/error.h>

#include <array>
#include <span>
#include <utility>

namespace millrace::cpu {

using onednn::Dims;
using onednn::Tag;

Dims dims_of(const Shape& shape) {
  switch (shape.rank()) {
    case 1: return {shape[0]};
    case 2: return {shape[0], shape[1]};
    case 4: return {shape[0], shape[3], shape[1], shape[2]};
    default: break;
  }
  throw Error(concat("cpu: values of shape ", to_string(shape), " are not supported"));
}

Dims image_dims(const Shape& shape) {
  return shape.rank() == 2 ? Dims{shape[0], shape[1], 1, 1} : dims_of(shape);
}

Layout plain_layout(const Shape& shape) {
  constexpr std::array tags{Tag::any, Tag::a, Tag::ab, Tag::any, Tag::nhwc};
  const Dims dims = dims_of(shape);
  return onednn::layout(dims, tags.at(dims.size()));
}

Layout plain_layout(const Layout& layout) {
  const Dims dims = onednn::dims(layout);
  if (dims.size() == 4) return onednn::layout(dims, Tag::nhwc);
  return onednn::layout(dims, dims.size() == 2 ? Tag::ab : Tag::a);
}

Layout byte_layout(std::size_t bytes) {
  return {{static_cast<std::int64_t>(bytes)}, dnnl::memory::data_type::u8, Tag::a};
}

bool same_memory(const Layout& a, const Layout& b) {
  if (a == b) return true;
  auto x = channel_blocks(a);
  auto y = channel_blocks(b);
  if (!x || !y) return false;
  // A plain layout is a run of values a sample, and so is any layout of one pixel without padding.
  for (ChannelBlocks* blocks : {&*x, &*y}) {
    const bool is_run = blocks->pixels == 1 && blocks->channels % blocks->block == 0;
    if (is_run || blocks->block == blocks->channels) {
      *blocks = {blocks->samples, blocks->channels * blocks->pixels, 1,
                 blocks->channels * blocks->pixels};
    }
  }
  return *x == *y;
}

std::vector<std::pair<Layout, Layout>> reorders(const Layout& from, const Layout& to) {
  if (same_memory(from, to)) return {};
  if (onednn::dims(from) == onednn::dims(to)) return {{from, to}};
  std::vector<std::pair<Layout, Layout>> result = reorders(from, plain_layout(from));
  for (auto& reorder : reorders(plain_layout(to), to)) result.push_back(std::move(reorder));
  return result;
}

Layout with_tag(const Layout& like, Tag tag) {
  return onednn::layout(onednn::dims(like), tag);
}

std::optional<Layout> in_order_of(const Layout& image, const Dims& dims) {
  if (onednn::dims(image).size() != 4) return std::nullopt;
  // Images of one channel, or of one pixel, are NCHW as much as NHWC. What has several of both is
  // then in the logical order; of one channel oneDNN's kernels ask for NCHW.
  const bool is_plain = image == plain_layout(image);
  if (is_plain && dims[1] > 1) return onednn::layout(dims, Tag::nhwc);
  for (const Tag tag : {Tag::nchw, Tag::nhwc, Tag::nChw16c, Tag::nChw8c, Tag::nChw4c}) {
    if (image == onednn::layout(onednn::dims(image), tag)) return onednn::layout(dims, tag);
  }
  return std::nullopt;
}

std::optional<Layout> with_rows(const Layout& image, std::int64_t rows) {
  Dims dims = onednn::dims(image);
  dims[0] = rows;
  return in_order_of(image, dims);
}

std::optional<ChannelBlocks> channel_blocks(const Layout& layout) {
  const Dims dims = onednn::dims(layout);
  if (dims.size() == 2 && layout == plain_layout(layout)) {
    return ChannelBlocks{dims[0], dims[1], 1, dims[1]};
  }
  if (dims.size() != 4) return std::nullopt;
  const std::array<std::pair<Tag, std::int64_t>, 5> known{{{Tag::nhwc, dims[1]},
                                                           {Tag::nChw16c, 16},
                                                           {Tag::nChw8c, 8},
                                                           {Tag::nChw4c, 4},
                                                           {Tag::nchw, 1}}};
  for (const auto& [tag, block] : known) {
    if (layout == onednn::layout(dims, tag)) {
      return ChannelBlocks{dims[0], dims[1], dims[2] * dims[3], block};
    }
  }
  return std::nullopt;
}

std::optional<OutputBlocks> output_blocks(const Layout& kernel) {
  const Dims dims = onednn::dims(kernel);
  // Logical order, with blocks of inputs, and without; the second line is of groups, of which
  // depthwise convolutions alone have blocks of outputs that lie so.
  static constexpr std::array<std::pair<Tag, std::int64_t>, 5> kKnown{{{Tag::abcd, 1},
                                                                       {Tag::ABcd16b16a, 16},
                                                                       {Tag::Acdb16a, 16},
                                                                       {Tag::ABcd8b8a, 8},
                                                                       {Tag::Acdb8a, 8}}};
  static constexpr std::array<std::pair<Tag, std::int64_t>, 3> kGrouped{
      {{Tag::abcde, 1}, {Tag::Abcde16a, 16}, {Tag::Abcde8a, 8}}};
  const bool is_grouped = dims.size() == 5;
  const std::int64_t outputs = is_grouped ? dims[0] * dims[1] : dims[0];
  const std::span known =
      is_grouped ? std::span<const std::pair<Tag, std::int64_t>>(kGrouped) : kKnown;
  for (const auto& [tag, block] : known) {
    if (block > 1 && is_grouped && dims[1] > 1) continue;
    if (kernel != onednn::layout(dims, tag)) continue;
    const auto all = static_cast<std::int64_t>(kernel.get_size() / sizeof(float));
    return OutputBlocks{outputs, all / ((outputs + block - 1) / block * block), block};
  }
  return std::nullopt;
}

std::string name_of(const Layout& image) {
  const auto blocks = channel_blocks(image);
  if (!blocks) return "other";
  if (image == plain_layout(image)) return "nhwc";
  return blocks->block == 1 ? "nchw" : concat(blocks->block, 'c');
}

}  // namespace millrace::cpu
