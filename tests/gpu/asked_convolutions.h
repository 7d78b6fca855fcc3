#pragma once
// What a training step asks of cuDNN.

#include <millrace/gpu/lower/lowering.h>
#include <millrace/nn/layers/conv2d.h>
#include <millrace/nn/value_uses.h>

#include <vector>

namespace millrace::gpu::test {

/// Every convolution of a training step, in the order of its operations; forward with bias, and
/// with the ReLU that alone reads the result.
inline std::vector<Convolution> asked_convolutions(const nn::Model& model, std::int64_t batch,
                                                   nn::Precision precision) {
  const nn::Graph graph =
      nn::build_graph(model, batch, nn::Mode::training, nn::Loss::softmax_cross_entropy);
  const nn::ValueUses uses(graph);
  std::vector<Convolution> found;
  for (const nn::Op& op : graph.ops) {
    const auto* layer = graph.kind<nn::Conv2D>(op);
    if (layer == nullptr) continue;
    found.push_back(convolution_of(graph, op, precision));
    if (op.pass != nn::Pass::forward) continue;
    found.back().bias = layer->bias;
    found.back().relu = uses.relu_of(op.y()) != nullptr;
  }
  return found;
}

}  // namespace millrace::gpu::test
