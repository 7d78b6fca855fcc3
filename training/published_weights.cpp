#include <millrace/training/published_weights.h>

#include <millrace/core/error.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

/// Convolutions by name, shapes as the file has them.
using Convolutions = std::map<std::string, Shape>;

constexpr int kBlocks = 5;
constexpr std::array<std::int64_t, kBlocks> kFilters{64, 128, 256, 512, 512};
struct Depth {
  const char *name, *network;
  std::array<int, kBlocks> convolutions;  // of each block
};
constexpr std::array<Depth, 4> kDepths{{{"VGG11", "vgg11", {1, 1, 2, 2, 2}},
                                        {"VGG13", "vgg13", {2, 2, 2, 2, 2}},
                                        {"VGG16", "vgg16", {2, 2, 3, 3, 3}},
                                        {"VGG19", "vgg19", {2, 2, 4, 4, 4}}}};

/// Calls visit(block, place in it, channels, filters) for each convolution.
template <class Visit>
void for_each_convolution(const Depth& depth, Visit visit) {
  std::int64_t channels = 3;
  for (std::size_t block = 0; block < kBlocks; ++block) {
    for (int place = 0; place < depth.convolutions[block]; ++place) {
      visit(block, place, channels, kFilters[block]);
      channels = kFilters[block];
    }
  }
}

/// torchvision counts activations, batch norms and poolings too.
Convolutions torch_vgg(const Depth& depth, bool has_batch_norm) {
  Convolutions result;
  int index = 0;
  std::size_t last_block = 0;
  for_each_convolution(depth, [&](std::size_t block, int, std::int64_t in, std::int64_t out) {
    index += std::exchange(last_block, block) != block ? 1 : 0;
    result.emplace(concat("features.", index, ".weight"), Shape{out, in, 3, 3});
    index += has_batch_norm ? 3 : 2;
  });
  return result;
}

Convolutions keras_vgg(const Depth& depth) {
  Convolutions result;
  for_each_convolution(depth, [&](std::size_t block, int place, std::int64_t in, std::int64_t out) {
    result.emplace(concat("block", block + 1, "_conv", place + 1), Shape{3, 3, in, out});
  });
  return result;
}

Convolutions convolutions_of(const WeightFile& file) {
  Convolutions result;
  if (file.is_keras()) {
    for (const WeightFile::Layer& layer : file.layers()) {
      if (layer.tensors.empty()) continue;
      const Shape& shape = file.tensors()[layer.tensors.front()].shape;
      if (shape.rank() == 4) result.emplace(layer.name, shape);
    }
    return result;
  }
  for (const WeightFile::Tensor& tensor : file.tensors()) {
    const std::string name =
        tensor.name.substr(std::min(file.wrapper().size(), tensor.name.size()));
    // timm keeps the first dense layers as convolutions.
    const bool is_dense = name.starts_with("pre_logits.");
    if (tensor.shape.rank() == 4 && !is_dense) result.emplace(name, tensor.shape);
  }
  return result;
}

}  // namespace

std::optional<PublishedModel> published_model(const WeightFile& file) {
  const Convolutions convolutions = convolutions_of(file);
  for (const Depth& depth : kDepths) {
    if (file.is_keras()) {
      // Keras publishes the two deeper ones.
      const bool is_published =
          depth.name == std::string_view("VGG16") || depth.name == std::string_view("VGG19");
      if (is_published && convolutions == keras_vgg(depth)) {
        return PublishedModel{"Keras", depth.name, depth.network, "caffe"};
      }
      continue;
    }
    for (const bool has_batch_norm : {false, true}) {
      if (convolutions == torch_vgg(depth, has_batch_norm)) {
        const std::string name = concat(depth.name, has_batch_norm ? " with batch norm" : "");
        const std::string network = concat(depth.network, has_batch_norm ? "_bn" : "");
        return PublishedModel{"torchvision", name, network, "torch"};
      }
    }
  }
  return std::nullopt;
}

}  // namespace millrace
