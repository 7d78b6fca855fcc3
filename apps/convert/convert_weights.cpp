#include "apps/convert/convert_weights.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/zoo/vgg.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/find_model.h>
#include <millrace/training/known_weights.h>
#include <millrace/training/option_text.h>
#include <millrace/training/published_weights.h>
#include <millrace/training/transfer.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <optional>
#include <vector>

namespace millrace::apps {
namespace {

const WeightFile::Tensor* find(const WeightFile& file, const std::vector<std::string>& names) {
  const auto found = std::find_if(
      file.tensors().begin(), file.tensors().end(), [&](const WeightFile::Tensor& tensor) {
        const bool is_wrapped = tensor.name.starts_with(file.wrapper());
        const auto name = tensor.name.substr(is_wrapped ? file.wrapper().size() : 0);
        return std::find(names.begin(), names.end(), name) != names.end();
      });
  return found == file.tensors().end() ? nullptr : &*found;
}

/// The tensors of a Keras file that begin dense layers, in order.
std::vector<Shape> dense_kernels(const WeightFile& file) {
  std::vector<Shape> shapes;
  for (const WeightFile::Layer& layer : file.layers()) {
    if (layer.tensors.empty()) continue;
    const Shape& shape = file.tensors()[layer.tensors.front()].shape;
    if (shape.rank() == 2) shapes.push_back(shape);
  }
  return shapes;
}

constexpr std::int64_t kUsual = 224;     // pixels of a side, of nearly all published networks
constexpr std::int64_t kClasses = 1000;  // of ImageNet

/// VGG16 with the input and classes that its first and last dense layer tell, or 224x224 without.
std::optional<nn::Model> vgg16_of(const WeightFile& file) {
  const auto published = published_model(file);
  if (!published || published->model != "VGG16") return std::nullopt;
  std::int64_t features = 0, classes = 0;
  if (file.is_keras()) {
    const std::vector<Shape> dense = dense_kernels(file);
    if (dense.size() == 3) {
      features = dense[0][0];
      classes = dense[2][1];
    }
  } else {
    const auto* first = find(file, {"classifier.0.weight", "pre_logits.fc1.weight"});
    const auto* last = find(file, {"classifier.6.weight", "head.fc.weight"});
    if (first != nullptr && last != nullptr) {
      features = first->shape.elements() / first->shape[0];
      classes = last->shape[0];
    }
  }
  const auto side = std::llround(std::sqrt(static_cast<double>(features) / 512));
  const std::int64_t size = classes == 0 ? kUsual : 32 * side;
  return nn::vgg16({size, size, 3}, classes);
}

nn::Model model_of(const ConvertWeightsOptions& o, const std::filesystem::path& path) {
  if (!o.model.empty()) {
    const Shape input =
        o.input.empty() ? Shape{} : parse_sample_shape(o.input, "convert weights: --input");
    return describe_model("convert weights", o.model, input, o.outputs);
  }
  const WeightFile file(path);
  if (holds_model(file.metadata())) return read_model(path);
  if (const KnownWeights* known = known_file(path); known != nullptr && is_zoo_name(known->model)) {
    return nn::zoo_model(known->model, {kUsual, kUsual, 3}, kClasses);
  }
  if (auto model = vgg16_of(file)) return *std::move(model);
  throw UsageError(concat("convert weights: ", path.string(),
                          ": not known as VGG16; name its model, as in --model cnn --input "
                          "150x150x3 --outputs 2"));
}

void name_classes(const std::vector<std::string>& names, nn::Model& model) {
  if (names.empty()) return;
  model.classes = names;
  try {
    nn::validate(model);
  } catch (const Error& error) {
    throw UsageError(concat("convert weights: --class-names: ", error.what()));
  }
}

}  // namespace

void convert_weights(const ConvertWeightsOptions& o) {
  const std::filesystem::path from = weights_file(o.from);
  nn::Model model = model_of(o, from);
  const Pretrained weights(from, model, model.layers.size(), o.pretrained);
  if (!weights.missing().empty()) {
    throw Error(concat(from.string(), ": ", weights.why_missing(weights.missing().front()),
                       "; the model '", model.name, "' needs all its weights"));
  }
  std::vector<float> arena(static_cast<std::size_t>(nn::arena_elements(nn::parameters(model))));
  weights.load(arena);
  const bool model_tells = json_says_preprocessing(o.model);
  const bool is_told = model_tells || weights.preprocessing();
  if (!model_tells && weights.preprocessing()) model.preprocessing = *weights.preprocessing();
  const bool names_known = o.classes.empty() && model.classes.empty();
  name_classes(names_known ? weights.classes() : o.classes, model);
  save_model(o.to, model, arena, FlattenOrder::channels_first);
  if (o.quiet) return;
  std::cout << weights.report() << '\n'
            << shown(o.to) << ": model '" << model.name << "', input " << model.input << ", "
            << weights.matched().size() << ' ' << plural(weights.matched().size(), "tensor")
            << "; pixels " << nn::describe(model.preprocessing)
            << (is_told ? ""
                        : " (the file does not say; set \"preprocessing\" in a JSON file for "
                          "--model)")
            << '\n';
}

}  // namespace millrace::apps
