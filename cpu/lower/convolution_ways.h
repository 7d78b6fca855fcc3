#pragma once
// The ways in which a pass of a convolution runs, each an algorithm with layouts: the first that
// oneDNN has generated code for is taken, or the one that the tuner finds to be the fastest.

#include <millrace/cpu/lower/lowering.h>

#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::cpu {

using Images = std::vector<std::pair<Layout, Layout>>;

/// What differs between the three passes.
struct ConvolutionPass {
  const char* name;
  /// Of the kernel; the first two hold images, the third weights.
  std::vector<Lowering::Argument> arguments;
  onednn::Convolution shape;  ///< layouts are left open
  Layout weights;             ///< where they lie in the arena
  onednn::After after{};
  bool has_norm = false;  ///< which the kernel does by its weights; timed as without it
  /// From, to: what a kernel's layouts make necessary; same_memory() needs nothing.
  std::function<Images(const Way&)> conversions;
};

/// What oneDNN has for a pass; layouts may be left open.
using FindConvolution = std::function<onednn::Found(const onednn::Convolution&)>;

/// The pass by this engine's own kernel, if it can do that.
[[nodiscard]] std::optional<OwnKernel> own_kernel(const Lowering& lowering,
                                                  const ConvolutionPass& pass, bool is_backward);

/// The best of the pass's ways: each algorithm with each pair of image layouts, with the weights as
/// they lie in the arena, then with weights as the kernel takes them.
[[nodiscard]] Way choose(Lowering& lowering, const nn::Op& op, const ConvolutionPass& pass,
                         const Images& images, const FindConvolution& find,
                         const std::optional<OwnKernel>& own = {});

/// How a pass is done for fewer samples, in the same layouts: arguments are those of source,
/// destination and weights. Not at all by Winograd's algorithm, which would transform its weights
/// each time.
[[nodiscard]] Lowering::KernelForRows for_rows(const Way& way, const onednn::Convolution& shape,
                                               const FindConvolution& find);

}  // namespace millrace::cpu
