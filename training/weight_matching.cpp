#include <millrace/training/weight_matching.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/keras_counterparts.h>
#include <millrace/training/keras_pairs.h>
#include <millrace/training/left_over_weights.h>
#include <millrace/training/tensor_names.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

using nn::Parameter;
using nn::Role;
using nn::WeightOrder;

/// Finds the tensor of each parameter.
class Matching {
 public:
  Matching(const WeightFile& file, const nn::Model& model, std::size_t layers,
           const PretrainedOptions& options)
      : file_(file), model_(model), options_(options), has_new_head_(layers < model.layers.size()) {
    for (Parameter& parameter : nn::parameters(model)) {
      const bool is_for_file = static_cast<std::size_t>(parameter.layer) < layers;
      (is_for_file ? wanted_ : left_alone_).push_back(std::move(parameter));
    }
    // In the order of the layers, whatever is frozen.
    std::stable_sort(wanted_.begin(), wanted_.end(), [](const Parameter& a, const Parameter& b) {
      return std::pair(a.layer, a.role) < std::pair(b.layer, b.role);
    });
    found_.resize(wanted_.size());
    std::vector<std::string> own;
    for (const Parameter& p : wanted_) own.push_back(p.name);
    names_ = TensorNames(file, own);
  }

  WeightMatch run() && {
    check_ignored(file_, names_, options_.ignored);
    check_flatten();
    check_form();
    file_.is_keras() ? match_keras_layers() : match_by_name();
    note_used();
    check();
    collect();
    return std::move(to_);
  }

 private:
  struct Found {
    enum { nothing, unfit, fits } state = nothing;
    std::size_t tensor = 0;
    nn::WeightLayout layout{};
  };

  void check_flatten() const {
    if (!options_.flatten || !(file_.is_keras() || holds_model(file_.metadata()))) return;
    throw UsageError(concat(file_.path().string(),
                            ": records the order of its flattened inputs; leave out "
                            "--flatten-order"));
  }

  /// Tensors of both forms of a network fit, which differ in padding and epsilon: the outputs would
  /// be wrong without a word.
  void check_form() const {
    if (holds_model(file_.metadata())) return;
    const std::string form = nn::zoo_other_form(model_.name, file_.is_keras());
    if (form.empty() || (file_.is_keras() && !has_keras_names())) return;
    const char* const library = file_.is_keras() ? "Keras" : "PyTorch";
    throw Error(concat(file_.path().string(), ": weights of ", library,
                       ", whose network differs from '", model_.name,
                       "' in padding or epsilon; the model that they are for is ", form));
  }

  /// Whether the file's layers are those of keras.applications.
  [[nodiscard]] bool has_keras_names() const {
    const auto& layers = file_.layers();
    return std::any_of(layers.begin(), layers.end(), [&](const WeightFile::Layer& layer) {
      return std::any_of(wanted_.begin(), wanted_.end(), [&](const Parameter& p) {
        return nn::zoo_keras_name(model_.name, layer_of(p.name)) == layer.name;
      });
    });
  }

  [[nodiscard]] bool is_ignored(std::string_view name) const { return ignored_.contains(name); }

  void match_keras_layers() {
    for (std::size_t i = 0; i < file_.layers().size(); ++i) {
      if (is_ignored(file_.layers()[i].name)) used_.ignored_layers.insert(i);
    }
    const KerasPairs pairs = pair_keras_layers(file_, model_, wanted_, used_.ignored_layers);
    used_.expected = pairs.expected;
    to_.are_by_layer_names = pairs.are_by_name;
    for (std::size_t begin = 0, end = 0; begin < wanted_.size(); begin = end) {
      const int layer = wanted_[begin].layer;
      while (end < wanted_.size() && wanted_[end].layer == layer) ++end;
      const auto pair = pairs.layers.find(layer);
      if (pair == pairs.layers.end()) continue;
      used_.layers.insert(pair->second);
      const std::vector<std::size_t>& tensors = file_.layers()[pair->second].tensors;
      for (std::size_t i = 0; i < end - begin && i < tensors.size(); ++i) {
        match_keras(begin + i, tensors[i]);
      }
    }
  }

  void match_keras(std::size_t index, std::size_t tensor) {
    const Parameter& parameter = wanted_[index];
    const Shape& shape = file_.tensors()[tensor].shape;
    const Shape own = keras_shape(parameter);
    const bool fits = shape == own || is_pointwise(own, shape) ||
                      (is_depthwise(parameter) && shape == keras_depthwise_shape(parameter));
    const bool is_kernel = parameter.role == Role::kernel;
    found_[index] = {fits ? Found::fits : Found::unfit,
                     tensor,
                     {is_kernel ? WeightOrder::keras_kernel : WeightOrder::same, own, {}}};
  }

  /// Keras makes some convolutions of single pixels as dense layers; the numbers lie alike.
  [[nodiscard]] static bool is_pointwise(const Shape& own, const Shape& theirs) {
    return own.rank() == 4 && own[0] == 1 && own[1] == 1 && theirs == Shape{own[2], own[3]};
  }

  void match_by_name() {
    if (is_keras_form(model_) && !holds_model(file_.metadata())) {
      fail(concat("its tensors have PyTorch's names, and '", model_.name,
                  "' is Keras's form of the network, which differs in more than its weights"));
    }
    std::map<std::string_view, std::size_t> by_name;
    for (std::size_t i = 0; i < file_.tensors().size(); ++i) {
      const bool is_left_out = is_ignored(layer_of(names_.bare(i))) || is_ignored(names_.bare(i));
      if (!is_left_out) by_name.emplace(names_.bare(i), i);
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const std::string name = names_.own(wanted_[i].name);
      auto found = by_name.find(name);
      if (found == by_name.end()) found = by_name.find(torch_name(wanted_[i]));
      if (found == by_name.end()) found = by_name.find(timm_name(name));
      if (found != by_name.end()) match_named(i, found->second);
    }
  }

  [[nodiscard]] std::string torch_name(const Parameter& parameter) const {
    return names_.own(nn::zoo_torch_tensor(model_, parameter).name);
  }

  void match_named(std::size_t index, std::size_t tensor) {
    const Parameter& parameter = wanted_[index];
    const Shape& image = images_[static_cast<std::size_t>(parameter.layer)];
    const Shape& theirs = file_.tensors()[tensor].shape;
    const bool is_convolution = theirs.rank() == 4;  // timm's, whatever the order of the others
    const bool is_channels_first =
        options_.flatten ? *options_.flatten == FlattenOrder::channels_first || is_convolution
                         : !is_channels_last(file_.metadata());
    if (is_channels_first && !is_convolution) nn::require_known_order(model_);
    const bool is_reordered =
        is_channels_first && image.rank() == 3 && parameter.role != Role::bias;
    found_[index] = {fits(parameter, tensor, image) ? Found::fits : Found::unfit,
                     tensor,
                     {is_reordered ? WeightOrder::channels_first : WeightOrder::same, {}, image}};
  }

  /// timm keeps the dense layers of VGG as convolutions.
  [[nodiscard]] bool fits(const Parameter& parameter, std::size_t tensor,
                          const Shape& image) const {
    const Shape& theirs = file_.tensors()[tensor].shape;
    if (theirs == parameter.shape || theirs == nn::zoo_torch_tensor(model_, parameter).shape) {
      return true;
    }
    if (theirs.rank() != 4 || parameter.shape.rank() != 2) return false;
    const Shape& s = parameter.shape;
    return image.rank() == 3 ? theirs == Shape{s[0], image[2], image[0], image[1]}
                             : theirs == Shape{s[0], s[1], 1, 1};
  }

  void note_used() {
    used_.is_whole = !has_new_head_;
    for (const Found& found : found_) {
      if (found.state == Found::nothing) {
        used_.is_whole = false;
      } else {
        used_.tensors.insert(found.tensor);
      }
    }
  }

  /// Throws Error unless what fits is all there is up to some layer.
  void check() const {
    const auto is = [&](auto state) {
      return [state](const Found& found) { return found.state == state; };
    };
    const auto last = std::find_if(found_.rbegin(), found_.rend(), is(Found::fits)).base();
    const auto unfit = std::find_if(found_.begin(), found_.end(), is(Found::unfit));
    if (last == found_.begin()) {
      fail(unfit != found_.end()
               ? difference(unfit)
               : concat("none of its ", file_.tensors().size(), ' ',
                        plural(file_.tensors().size(), "tensor"), " (",
                        file_.tensors().front().name, ", ...) is one of the model"));
    }
    check_left_over(file_, names_, used_, ignored_, model_.name);
    check_order();
    const auto gap = std::find_if(found_.begin(), last,
                                  [](const Found& found) { return found.state != Found::fits; });
    if (gap != last) {
      fail(gap->state == Found::unfit
               ? difference(gap)
               : concat("it has no '", parameter(gap).name, "' but tensors of later layers"));
    }
    const int last_layer = wanted_.back().layer;
    if (unfit != found_.end() && parameter(unfit).layer != last_layer) fail(difference(unfit));
  }

  /// Keras's channels first are seldom and would need an order of their own.
  void check_order() const {
    const bool has_flattened = std::any_of(images_.begin(), images_.end(),
                                           [](const Shape& image) { return image.rank() == 3; });
    if (!file_.is_channels_first() || !has_flattened) return;
    fail(
        "its images are channels first, so the inputs after its flatten are in another order; "
        "save it with data_format channels_last");
  }

  using Iterator = std::vector<Found>::const_iterator;
  [[nodiscard]] const Parameter& parameter(Iterator found) const {
    return wanted_[static_cast<std::size_t>(found - found_.begin())];
  }
  [[nodiscard]] std::string difference(Iterator found) const {
    const WeightFile::Tensor& tensor = file_.tensors()[found->tensor];
    const Parameter& own = parameter(found);
    const Shape shape = !file_.is_keras()   ? own.shape
                        : is_depthwise(own) ? keras_depthwise_shape(own)
                                            : keras_shape(own);
    return concat("'", tensor.name, "' is ", tensor.shape, " in the file, ",
                  own.name == tensor.name ? "" : concat("'", own.name, "' "), shape,
                  " in the model");
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(concat(file_.path().string(), ": weights of another model or size of input than '",
                       model_.name, "' at ", model_.input, ": ", what));
  }

  void collect() {
    for (auto found = found_.cbegin(); found != found_.cend(); ++found) {
      const Parameter& own = parameter(found);
      if (found->state == Found::unfit) to_.unfit.emplace(own.name, difference(found));
      if (found->state != Found::fits) {
        to_.missing.push_back(own.name);
        continue;
      }
      to_.matched.push_back(own.name);
      to_.assignments.push_back({own, found->tensor, found->layout});
      note_order(*found, own);
    }
    for (const Parameter& parameter : left_alone_) to_.missing.push_back(parameter.name);
    for (std::size_t i = 0; i < file_.tensors().size(); ++i) {
      if (is_weight(names_.bare(i)) && !used_.tensors.contains(i)) {
        to_.left_over.push_back(file_.tensors()[i].name);
      }
    }
    to_.prefix = names_.prefix();
  }

  /// For the report: the order of PyTorch is what its files have where nothing says otherwise.
  void note_order(const Found& found, const Parameter& own) {
    const Shape& image = found.layout.image;
    const bool differs = image.rank() == 3 && image[2] > 1 && image[0] * image[1] > 1;
    const bool is_reordered = found.layout.order == WeightOrder::channels_first && differs;
    if (!is_reordered || holds_model(file_.metadata())) return;
    const std::string& layer = model_.layers[static_cast<std::size_t>(own.layer)].name;
    const bool is_noted = !to_.reordered.empty() && to_.reordered.back() == layer;
    if (!is_noted) to_.reordered.push_back(layer);
  }

  WeightMatch to_;
  const WeightFile& file_;
  const nn::Model& model_;
  const PretrainedOptions& options_;
  std::set<std::string_view> ignored_{options_.ignored.begin(), options_.ignored.end()};
  bool has_new_head_;
  std::vector<Shape> images_ = nn::flattened_images(model_);
  std::vector<Parameter> wanted_, left_alone_;
  std::vector<Found> found_;
  TensorNames names_;
  UsedWeights used_;
};

}  // namespace

WeightMatch match_weights(const WeightFile& file, const nn::Model& model, std::size_t layers,
                          const PretrainedOptions& options) {
  return Matching(file, model, layers, options).run();
}

}  // namespace millrace
