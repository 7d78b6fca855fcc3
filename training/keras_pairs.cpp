#include <millrace/training/keras_pairs.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/keras_counterparts.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace {
namespace {

constexpr std::string_view kKerasForm = ":keras";

/// The parameters of one layer.
using Group = std::span<const nn::Parameter>;

std::vector<Group> groups_of(std::span<const nn::Parameter> wanted) {
  std::vector<Group> groups;
  for (std::size_t begin = 0, end = 0; begin < wanted.size(); begin = end) {
    while (end < wanted.size() && wanted[end].layer == wanted[begin].layer) ++end;
    groups.push_back(wanted.subspan(begin, end - begin));
  }
  return groups;
}

/// Whether the zoo has a network in two forms, of which one is Keras's.
bool has_keras_form(const std::string& network) {
  constexpr std::int64_t kSide = 224, kOutputs = 10;
  try {
    (void)nn::zoo_model(network + std::string(kKerasForm), {kSide, kSide, 3}, kOutputs);
    return true;
  } catch (const Error&) {
    return false;
  }
}

class Pairing {
 public:
  Pairing(const WeightFile& file, const nn::Model& model, std::span<const nn::Parameter> wanted,
          const std::set<std::size_t>& ignored)
      : file_(file), model_(model), groups_(groups_of(wanted)), ignored_(ignored) {}

  KerasPairs run() && {
    if (!pair_by_name()) pair_by_place();
    expect();
    return std::move(pairs_);
  }

 private:
  [[nodiscard]] const nn::Layer& layer_of(const Group& group) const {
    return model_.layers[static_cast<std::size_t>(group.front().layer)];
  }

  /// Names decide if all layers have them, or all up to some layer of a network whose names in
  /// Keras are known.
  bool pair_by_name() {
    std::map<std::string_view, std::size_t> theirs;
    for (std::size_t i = 0; i < file_.layers().size(); ++i) {
      if (ignored_.contains(i) || file_.layers()[i].tensors.empty()) continue;
      if (!theirs.emplace(file_.layers()[i].name, i).second) return false;
    }
    std::map<int, std::size_t> found;
    bool is_known = true;
    for (const Group& group : groups_) {
      const std::string known = nn::zoo_keras_name(model_.name, layer_of(group).name);
      const auto one = theirs.find(known.empty() ? layer_of(group).name : known);
      const bool fits = one != theirs.end() && may_be(group, file_.layers()[one->second]);
      if (!fits) continue;
      // After a gap: names of some layers prove nothing of the others.
      if (found.size() != static_cast<std::size_t>(&group - groups_.data())) return false;
      is_known = is_known && !known.empty();
      found.emplace(group.front().layer, one->second);
    }
    if (found.empty() || (found.size() < groups_.size() && !is_known)) return false;
    if (is_known) check_form();
    is_of_zoo_ = is_known;
    pairs_.layers = std::move(found);
    pairs_.are_by_name = true;
    return true;
  }

  /// A transposed convolution is none, whatever its name; and without one of its factors a batch
  /// norm of Keras has its tensors in other places.
  [[nodiscard]] bool may_be(const Group& group, const WeightFile::Layer& layer) const {
    const LayerClass own = class_of(layer_of(group)), theirs = class_of(file_, layer);
    if (own == LayerClass::weightless) return true;  // the shapes of its tensors decide
    if (own == LayerClass::batch_norm) return theirs == own;
    if (theirs == LayerClass::depthwise) return is_depthwise(group.front());
    return theirs == LayerClass::convolution || theirs == LayerClass::dense;
  }

  void check_form() const {
    if (is_keras_form(model_) || !has_keras_form(model_.name)) return;
    throw Error(concat(file_.path().string(), ": holds Keras's form of '", model_.name,
                       "', which differs from the others' in more than its weights; its model is ",
                       model_.name, kKerasForm));
  }

  void pair_by_place() {
    std::map<LayerClass, std::vector<std::size_t>> theirs;
    for (std::size_t i = 0; i < file_.layers().size(); ++i) {
      if (!ignored_.contains(i)) theirs[class_of(file_, file_.layers()[i])].push_back(i);
    }
    std::map<LayerClass, std::size_t> used;
    std::vector<std::pair<LayerClass, Group>> placed;
    for (const Group& group : groups_) {
      LayerClass kind = class_of(layer_of(group));
      // Else they are Conv2D's with groups, or of layers whose class nothing tells.
      if (is_depthwise(group.front()) && theirs.contains(LayerClass::depthwise)) {
        kind = LayerClass::depthwise;
      }
      const std::size_t place = used[kind]++;
      if (place >= theirs[kind].size()) continue;
      pairs_.layers.emplace(group.front().layer, theirs[kind][place]);
      placed.emplace_back(kind, group);
    }
    check_order(placed);
  }

  /// Layers of one class and shape, neither of which gets what the other one makes, may lie in the
  /// file in any order.
  void check_order(const std::vector<std::pair<LayerClass, Group>>& placed) const {
    const std::vector<std::set<int>> before = layers_before();
    for (std::size_t j = 0; j < placed.size(); ++j) {
      for (std::size_t i = 0; i < j; ++i) {
        const nn::Parameter &first = placed[i].second.front(), &second = placed[j].second.front();
        const bool is_alike =
            placed[i].first == placed[j].first && keras_shape(first) == keras_shape(second);
        const auto& all = before[static_cast<std::size_t>(second.layer)];
        if (!is_alike || all.contains(first.layer)) continue;
        throw Error(concat(file_.path().string(),
                           ": its layers have other names than the model's, and by their "
                           "order '",
                           layer_of(placed[i].second).name, "' and '",
                           layer_of(placed[j].second).name, "' of the model '", model_.name,
                           "', which are alike, cannot be distinguished; give the "
                           "model's layers the names of the file's"));
      }
    }
  }

  [[nodiscard]] std::vector<std::set<int>> layers_before() const {
    const std::vector<std::vector<int>> inputs = nn::input_layers(model_);
    std::vector<std::set<int>> before(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      for (const int input : inputs[i]) {
        if (input < 0) continue;
        const std::set<int>& theirs = before[static_cast<std::size_t>(input)];
        before[i].insert(theirs.begin(), theirs.end());
        before[i].insert(input);
      }
    }
    return before;
  }

  template <class Kind>
  void expect_if_equal(const std::string& name) {
    const auto own = std::count_if(model_.layers.begin(), model_.layers.end(),
                                   [](const nn::Layer& layer) { return layer.kind.is<Kind>(); });
    std::ptrdiff_t theirs = 0;
    for (const WeightFile::Layer& layer : file_.layers()) {
      theirs += plain_kind(layer.kind) == name ? 1 : 0;
    }
    if (own == theirs) pairs_.expected.insert(name);
  }

  void expect() {
    if (is_of_zoo_) {
      pairs_.expected = {"add", "multiply", "concatenate", "zeropadding2d", "cropping2d"};
      return;
    }
    expect_if_equal<nn::Add>("add");
    expect_if_equal<nn::Multiply>("multiply");
    expect_if_equal<nn::Concat>("concatenate");
    expect_if_equal<nn::ZeroPadding>("zeropadding2d");
    expect_if_equal<nn::Upsample>("upsampling2d");
    expect_if_equal<nn::LeakyRelu>("leakyrelu");
    expect_if_equal<nn::Gelu>("gelu");
  }

  const WeightFile& file_;
  const nn::Model& model_;
  std::vector<Group> groups_;
  const std::set<std::size_t>& ignored_;
  bool is_of_zoo_ = false;
  KerasPairs pairs_;
};

}  // namespace

KerasPairs pair_keras_layers(const WeightFile& file, const nn::Model& model,
                             std::span<const nn::Parameter> wanted,
                             const std::set<std::size_t>& ignored) {
  return Pairing(file, model, wanted, ignored).run();
}

bool is_keras_form(const nn::Model& model) {
  return model.name.find(kKerasForm) != std::string::npos &&
         has_keras_form(model.name.substr(0, model.name.find(':')));
}

}  // namespace millrace
