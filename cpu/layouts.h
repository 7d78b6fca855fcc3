#pragma once
// Where the elements of a value lie. Logical values are [N][H][W][C] or [N][F]; oneDNN counts its
// dimensions as N, C, H, W and keeps images as NHWC, as NCHW or in blocks of 4, 8 or 16 channels.

#include <millrace/core/shape.h>
#include <millrace/cpu/onednn.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::cpu {

using onednn::Layout;

/// The logical order: [N][H][W][C], [N][F] or [C].
[[nodiscard]] Layout plain_layout(const Shape& shape);
/// The logical order of the values that `layout` holds.
[[nodiscard]] Layout plain_layout(const Layout& layout);
/// A number of bytes with a meaning that only their user knows.
[[nodiscard]] Layout byte_layout(std::size_t bytes);
/// oneDNN's dimensions of a logical shape: {32, 150, 150, 3} is N 32, C 3, H 150, W 150.
[[nodiscard]] onednn::Dims dims_of(const Shape& shape);
/// The same of images, where [N][F] is an image of one pixel with F channels.
[[nodiscard]] onednn::Dims image_dims(const Shape& shape);

/// The same dimensions in another order.
[[nodiscard]] Layout with_tag(const Layout& like, onednn::Tag tag);
/// Other images, of another number of channels or pixels too, in the order that `image` has; the
/// logical one where it has several. Nothing for orders that are not known.
[[nodiscard]] std::optional<Layout> in_order_of(const Layout& image, const onednn::Dims& dims);
/// The layout for another number of samples.
[[nodiscard]] std::optional<Layout> with_rows(const Layout& image, std::int64_t rows);

/// True when both layouts put the same logical elements into the same places, so that memory can be
/// seen either way: [N][1][1][C] as NHWC or NCHW, plain [N][H][W][C] as [N][H*W*C].
[[nodiscard]] bool same_memory(const Layout& a, const Layout& b);

/// From, to: the reorders that bring values from one layout into the other; none if they are the
/// same memory. [N][F] and images meet in the logical order.
[[nodiscard]] std::vector<std::pair<Layout, Layout>> reorders(const Layout& from, const Layout& to);

/// Images as [sample][block of channels][pixel][channel in block], which describes all layouts in
/// use: NHWC has one block of all channels, NCHW blocks of one; [N][F] is an image of one pixel.
/// The last block is padded with zeros.
struct ChannelBlocks {
  std::int64_t samples = 0, channels = 0, pixels = 0;
  std::int64_t block = 0;  ///< channels in a block
  [[nodiscard]] std::int64_t blocks() const { return (channels + block - 1) / block; }
  [[nodiscard]] std::int64_t sample_stride() const { return blocks() * pixels * block; }
  friend bool operator==(const ChannelBlocks&, const ChannelBlocks&) = default;
};

/// A convolution's kernel as [block of outputs][value of an output][output in block]; in the
/// logical order a block is one output. The last block is padded with zeros.
struct OutputBlocks {
  std::int64_t outputs = 0, values = 0;  ///< values of one output, with those that pad its inputs
  std::int64_t block = 0;                ///< outputs in a block
};
/// Nothing for layouts that cannot be described so.
[[nodiscard]] std::optional<OutputBlocks> output_blocks(const Layout& kernel);

/// "nhwc", "nchw", "16c", or "other".
[[nodiscard]] std::string name_of(const Layout& image);

/// Nothing for layouts that cannot be described so.
[[nodiscard]] std::optional<ChannelBlocks> channel_blocks(const Layout& layout);

}  // namespace millrace::cpu
