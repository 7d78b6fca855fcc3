#include <millrace/nodes/pretrained.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nodes/saved_model.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace millrace {
namespace {

using nn::Parameter;
using nn::Role;
using nn::WeightOrder;

struct Alias {
  std::string_view ours, timm;
};
constexpr std::array<Alias, 3> kTimm{{{"classifier.0", "pre_logits.fc1"},
                                      {"classifier.3", "pre_logits.fc2"},
                                      {"classifier.6", "head.fc"}}};

/// "features.0.weight" -> "features.0".
std::string_view layer_of(std::string_view parameter) {
  return parameter.substr(0, parameter.rfind('.'));
}

std::string timm_name(const std::string& name) {
  const std::string_view layer = layer_of(name);
  const auto found =
      std::find_if(kTimm.begin(), kTimm.end(), [&](const Alias& a) { return a.ours == layer; });
  return found == kTimm.end() ? "" : concat(found->timm, name.substr(layer.size()));
}

/// The classes of layers that Keras files are matched by.
enum class Class { convolution, dense, batch_norm, unknown };

Class class_of(const nn::Layer& layer) {
  if (std::holds_alternative<nn::Conv2D>(layer.kind)) return Class::convolution;
  if (std::holds_alternative<nn::Dense>(layer.kind)) return Class::dense;
  return std::holds_alternative<nn::BatchNorm>(layer.kind) ? Class::batch_norm : Class::unknown;
}

Class class_of(const WeightFile& file, const WeightFile::Layer& layer) {
  const int rank = file.tensors()[layer.tensors.front()].shape.rank();
  if (rank == 4) return Class::convolution;
  if (rank == 2) return Class::dense;
  return rank == 1 && layer.tensors.size() == 4 ? Class::batch_norm : Class::unknown;
}

/// Keras's shape of one of our parameters.
Shape keras_shape(const Parameter& parameter) {
  const Shape& s = parameter.shape;
  if (s.rank() == 4) return {s[2], s[3], s[1], s[0]};
  return s.rank() == 2 ? Shape{s[1], s[0]} : s;
}

std::string list_of(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 6;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kMost; ++i) {
    text += (i == 0 ? "" : ", ") + names[i];
  }
  return names.size() > kMost ? concat(text, " and ", names.size() - kMost, " more") : text;
}

}  // namespace

/// Finds the tensor of each parameter.
class Matching {
 public:
  Matching(Pretrained& to, const nn::Model& model, std::size_t layers)
      : to_(to), file_(*to.file_), model_(model) {
    for (Parameter& parameter : nn::parameters(model)) {
      const bool is_for_file = static_cast<std::size_t>(parameter.layer) < layers;
      (is_for_file ? wanted_ : left_alone_).push_back(std::move(parameter));
    }
    // In the order of the layers, whatever is frozen.
    std::stable_sort(wanted_.begin(), wanted_.end(), [](const Parameter& a, const Parameter& b) {
      return std::pair(a.layer, a.role) < std::pair(b.layer, b.role);
    });
    found_.resize(wanted_.size());
  }

  void run() {
    file_.is_keras() ? match_by_place() : match_by_name();
    check();
    report();
  }

 private:
  struct Found {
    enum { nothing, unfit, fits } state = nothing;
    std::size_t tensor = 0;
    nn::WeightLayout layout{};
  };

  void match_by_place() {
    std::map<Class, std::vector<const WeightFile::Layer*>> theirs;
    for (const WeightFile::Layer& layer : file_.layers()) {
      theirs[class_of(file_, layer)].push_back(&layer);
    }
    std::map<Class, std::size_t> used;
    for (std::size_t begin = 0, end = 0; begin < wanted_.size(); begin = end) {
      const int layer = wanted_[begin].layer;
      while (end < wanted_.size() && wanted_[end].layer == layer) ++end;
      const Class kind = class_of(model_.layers[static_cast<std::size_t>(layer)]);
      const std::size_t place = used[kind]++;
      if (place >= theirs[kind].size()) continue;
      const std::vector<std::size_t>& tensors = theirs[kind][place]->tensors;
      for (std::size_t i = 0; i < end - begin && i < tensors.size(); ++i) {
        match_keras(begin + i, tensors[i]);
      }
    }
  }

  void match_keras(std::size_t index, std::size_t tensor) {
    const Parameter& parameter = wanted_[index];
    const Shape& shape = file_.tensors()[tensor].shape;
    const bool fits = shape == keras_shape(parameter);
    const bool is_kernel = parameter.role == Role::kernel;
    found_[index] = {fits ? Found::fits : Found::unfit,
                     tensor,
                     {is_kernel ? WeightOrder::keras_kernel : WeightOrder::same, shape, {}}};
  }

  void match_by_name() {
    const std::vector<Shape> images = nn::flattened_images(model_);
    const bool is_channels_first = !is_channels_last(file_.metadata());
    std::map<std::string_view, std::size_t> by_name;
    for (std::size_t i = 0; i < file_.tensors().size(); ++i) {
      by_name.emplace(file_.tensors()[i].name, i);
    }
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const Parameter& parameter = wanted_[i];
      auto found = by_name.find(parameter.name);
      if (found == by_name.end()) found = by_name.find(timm_name(parameter.name));
      if (found == by_name.end()) continue;
      const Shape& image = images[static_cast<std::size_t>(parameter.layer)];
      const bool is_reordered =
          is_channels_first && image.rank() == 3 && parameter.role != Role::bias;
      found_[i] = {fits(parameter, found->second, image) ? Found::fits : Found::unfit,
                   found->second,
                   {is_reordered ? WeightOrder::channels_first : WeightOrder::same, {}, image}};
    }
  }

  /// timm keeps the dense layers of VGG as convolutions.
  [[nodiscard]] bool fits(const Parameter& parameter, std::size_t tensor,
                          const Shape& image) const {
    const Shape& theirs = file_.tensors()[tensor].shape;
    if (theirs == parameter.shape) return true;
    if (theirs.rank() != 4 || parameter.shape.rank() != 2) return false;
    const Shape& s = parameter.shape;
    return image.rank() == 3 ? theirs == Shape{s[0], image[2], image[0], image[1]}
                             : theirs == Shape{s[0], s[1], 1, 1};
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
               : concat("none of its ", file_.tensors().size(), " tensors (",
                        file_.tensors().front().name, ", ...) is one of the model"));
    }
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

  using Iterator = std::vector<Found>::const_iterator;
  [[nodiscard]] const Parameter& parameter(Iterator found) const {
    return wanted_[static_cast<std::size_t>(found - found_.begin())];
  }
  [[nodiscard]] std::string difference(Iterator found) const {
    const WeightFile::Tensor& tensor = file_.tensors()[found->tensor];
    const Shape& shape = file_.is_keras() ? keras_shape(parameter(found)) : parameter(found).shape;
    return concat("'", tensor.name, "' is ", tensor.shape, " where '", parameter(found).name,
                  "' wants ", shape);
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(concat(file_.path().string(), ": weights of another model or size of input than '",
                       model_.name, "' at ", model_.input, ": ", what));
  }

  void report() {
    std::set<std::size_t> used;
    for (std::size_t i = 0; i < wanted_.size(); ++i) {
      const Found& found = found_[i];
      if (found.state != Found::fits) {
        to_.missing_.push_back(wanted_[i].name);
        continue;
      }
      used.insert(found.tensor);
      to_.matched_.push_back(wanted_[i].name);
      to_.assignments_.push_back({wanted_[i], found.tensor, found.layout});
    }
    for (const Parameter& parameter : left_alone_) to_.missing_.push_back(parameter.name);
    for (std::size_t i = 0; i < file_.tensors().size(); ++i) {
      const std::string& name = file_.tensors()[i].name;
      // A count of steps that PyTorch keeps beside running statistics is no weight.
      const bool is_weight = !name.ends_with(".num_batches_tracked") && name != kWhitening;
      if (is_weight && !used.contains(i)) to_.left_over_.push_back(name);
    }
  }

  Pretrained& to_;
  const WeightFile& file_;
  const nn::Model& model_;
  std::vector<Parameter> wanted_, left_alone_;
  std::vector<Found> found_;
};

namespace {

/// Keras publishes its VGG16 and VGG19 with these names, trained in Caffe.
bool is_keras_vgg(const WeightFile& file) {
  return file.is_keras() && file.layers().front().name == "block1_conv1";
}

std::optional<nn::Preprocessing> preprocessing_of(const WeightFile& file, const nn::Model& model) {
  if (const auto own = saved_preprocessing(file)) return own;
  if (model.input.rank() != 3 || model.input[2] != 3) return std::nullopt;  // no RGB pictures
  if (is_keras_vgg(file)) return nn::preprocessing_named("caffe");
  return file.is_keras() ? std::nullopt : std::optional(nn::preprocessing_named("torch"));
}

}  // namespace

Pretrained::Pretrained(const std::filesystem::path& path, const nn::Model& model,
                       std::size_t layers)
    : file_(std::make_shared<const WeightFile>(path)) {
  source_ = file_->is_keras() ? "Keras" : holds_model(file_->metadata()) ? "Millrace" : "PyTorch";
  Matching(*this, model, layers).run();
  preprocessing_ = preprocessing_of(*file_, model);
}

void Pretrained::load(std::span<float> arena) const {
  for (const Assignment& assignment : assignments_) {
    const auto values =
        arena.subspan(static_cast<std::size_t>(assignment.parameter.offset),
                      static_cast<std::size_t>(assignment.parameter.shape.elements()));
    file_->read(assignment.tensor, [&](std::int64_t first, std::span<const float> part) {
      nn::place(assignment.layout, first, part, values);
    });
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      throw Error(concat(file_->path().string(), ": tensor '",
                         file_->tensors()[assignment.tensor].name,
                         "' holds a value that is not a finite number"));
    }
  }
}

std::string Pretrained::report() const {
  std::string text = concat(file_->path().string(), " (", source_, "): ", matched_.size(), " of ",
                            matched_.size() + missing_.size(), ' ',
                            plural(matched_.size() + missing_.size(), "tensor"), " of the model");
  if (!missing_.empty()) text += "; not in the file: " + list_of(missing_);
  if (!left_over_.empty()) text += "; left over in the file: " + list_of(left_over_);
  return text;
}

}  // namespace millrace
