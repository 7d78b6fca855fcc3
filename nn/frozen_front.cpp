#include <millrace/nn/frozen_front.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/dropout.h>
#include <millrace/nn/layers/flatten.h>
#include <millrace/nn/layers/softmax.h>
#include <millrace/nn/transfer.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace millrace::nn {
namespace {

/// What a training step changes: weights, or statistics of the batch.
bool is_changed(const Layer& layer, const LayerSummary& summary) {
  return summary.trainable_parameters > 0 || (layer.trainable && layer.kind.facts().mixes_rows);
}

/// Whether all that comes behind the layer takes nothing from before it.
std::vector<bool> find_cuts(const Model& model) {
  const std::vector<std::vector<int>> inputs = input_layers(model);
  std::vector<bool> cuts(model.layers.size());
  auto earliest = static_cast<int>(model.layers.size());  // that later layers take
  for (std::size_t i = model.layers.size(); i-- > 0;) {
    cuts[i] = earliest >= static_cast<int>(i);
    earliest = std::min(earliest, *std::ranges::min_element(inputs[i]));
  }
  return cuts;
}

/// Layers that pass their input on are not in the graph.
LayerKind nothing() {
  return Dropout{.rate = 0};
}

std::string unused_name(const Model& model, std::string name) {
  const auto is_taken = [&] {
    return std::ranges::any_of(model.layers, [&](const Layer& l) { return l.name == name; });
  };
  while (is_taken()) name += '_';
  return name;
}

FrozenFront cut_behind(const Model& model, std::size_t last, const Shape& features) {
  FrozenFront result{.front = model, .head = model, .features = features, .last = {}};
  result.last = model.layers[last].name;
  Model& front = result.front;
  front.layers.resize(last + 1);
  front.classes.clear();
  front.targets.clear();
  if (features.rank() != 1 || front.layers.back().kind.is<Softmax>()) {
    front.layers.push_back({.name = unused_name(front, "features"), .kind = Flatten{}});
  }
  Model& head = result.head;
  head.input = features;
  head.preprocessing = {.scale = 1};
  head.table = {};
  for (std::size_t i = 0; i <= last; ++i) {
    head.layers[i] = {.name = model.layers[i].name, .kind = nothing(), .trainable = false};
  }
  validate(front);
  validate(head);
  return result;
}

/// The layers before the first one that a step changes, and those of them that have weights.
struct Frozen {
  std::size_t layers = 0;
  std::vector<std::size_t> with_weights{};
};

Frozen frozen_layers(const Model& model, const std::vector<LayerSummary>& summaries) {
  Frozen frozen;
  const std::size_t all = model.layers.size();
  for (; frozen.layers < all; ++frozen.layers) {
    const std::size_t i = frozen.layers;
    if (is_changed(model.layers[i], summaries[i])) break;
    if (summaries[i].parameters > 0) frozen.with_weights.push_back(i);
  }
  return frozen;
}

}  // namespace

FrontSearch find_frozen_front(const Model& model) {
  const std::vector<LayerSummary> summaries = summarize(model);
  FrontSearch search;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    if (summaries[i].parameters > 0 && !model.layers[i].trainable) search.is_frozen = true;
  }
  if (!search.is_frozen) return search;
  const Frozen frozen = frozen_layers(model, summaries);
  if (frozen.layers == model.layers.size()) {
    search.why_not = "nothing trains";
    return search;
  }
  if (frozen.with_weights.empty()) {
    search.why_not = concat("'", model.layers[frozen.layers].name,
                            "', which trains, comes before all frozen layers");
    return search;
  }
  // Behind a random layer nothing can be kept; before it all, unless frozen weights come behind it.
  const auto begin = model.layers.begin();
  const auto random = static_cast<std::size_t>(
      std::find_if(begin, begin + static_cast<std::ptrdiff_t>(frozen.layers),
                   [](const Layer& l) {
                     return l.trainable && draws(l.kind);  // frozen, it is off
                   }) -
      begin);
  if (frozen.with_weights.back() > random) {
    search.why_not =
        concat("'", model.layers[random].name, "' draws at random in training; freeze it too");
    return search;
  }
  const std::vector<bool> cuts = find_cuts(model);
  for (std::size_t i = std::min(random, frozen.layers); i-- > frozen.with_weights.front();) {
    if (cuts[i]) {
      search.front = cut_behind(model, i, summaries[i].output);
      return search;
    }
  }
  search.why_not = concat("all cuts after '", model.layers[frozen.with_weights.front()].name,
                          "' are crossed by a layer that trains");
  return search;
}

}  // namespace millrace::nn
