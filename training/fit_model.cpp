#include <millrace/training/fit_model.h>

#include <millrace/core/error.h>
#include <millrace/nn/transfer.h>
#include <millrace/nn/weight_layout.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/find_model.h>
#include <millrace/training/known_weights.h>
#include <millrace/training/published_weights.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

constexpr std::int64_t kUsualSide = 224;  // of networks for ImageNet
constexpr std::int64_t kUsualOutputs = 1000;
constexpr std::int64_t kMostSide = 1024;  // of those that are tried
constexpr std::int64_t kColours = 3;

Shape square(std::int64_t side) {
  return {side, side, kColours};
}

std::string size_text(std::int64_t side) {
  return concat(side, 'x', side);
}

/// Nothing where the input is too small for the network.
std::optional<nn::Model> built(const std::string& name, const Shape& input, std::int64_t outputs) {
  try {
    return nn::zoo_model(name, input, outputs);
  } catch (const Error&) {
    return std::nullopt;
  }
}

/// A model of the zoo that the file fills.
std::optional<nn::Model> filled(const Fitting& asked, const Shape& input,
                                const WeightsOfModel& weights) {
  const auto possible = asked.outputs > 0 ? std::vector{asked.outputs} : weights.possible_outputs();
  for (const std::int64_t outputs : possible) {
    auto model = built(asked.name, input, outputs);
    if (model && weights.fits(*model)) return model;
  }
  return std::nullopt;
}

bool sees_fixed_size(const nn::Model& model) {
  const std::vector<Shape> images = nn::flattened_images(model);
  return std::any_of(images.begin(), images.end(),
                     [](const Shape& image) { return image.rank() == 3; });
}

/// Whether each layer that makes images smaller still has more than one pixel a side to do it with.
/// `usual`: the same network at a size at which all of them have.
bool makes_smaller(const nn::Model& model, const nn::Model& usual) {
  const std::vector<nn::LayerShape> out = nn::infer_shapes(usual);
  const std::vector<std::vector<Shape>> of = nn::input_shapes(usual, out);
  const std::vector<std::vector<Shape>> in = nn::input_shapes(model, nn::infer_shapes(model));
  for (std::size_t i = 0; i < in.size(); ++i) {
    const Shape &before = of[i].front(), &after = out[i].output;
    const bool halves =
        before.rank() == 3 && after.rank() == 3 && after[0] > 1 && after[0] < before[0];
    if (halves && std::min(in[i].front()[0], in[i].front()[1]) < 2) return false;
  }
  return true;
}

bool takes(const std::string& name, const Shape& input) {
  const auto model = built(name, input, kUsualOutputs);
  const auto usual = built(name, square(kUsualSide), kUsualOutputs);
  return model && (!usual || makes_smaller(*model, *usual));
}

/// Throws UsageError where the network would see less than it was made for: padding alone lets
/// several take any size, and what they say of it means nothing.
void check_takes(const Fitting& asked, const Shape& input, const WeightsOfModel& weights) {
  if (input.rank() != 3 || takes(asked.name, input)) return;
  if (weights.model() && weights.model()->input == input) return;  // it learnt from such
  for (std::int64_t side = std::min(input[0], input[1]) + 1; side <= kUsualSide; ++side) {
    if (!takes(asked.name, {side, side, input[2]})) continue;
    throw UsageError(concat(asked.command, ": ", asked.name, " takes images of at least ",
                            size_text(side), ", not ", input[0], 'x', input[1]));
  }
}

/// Where weights do not fit the usual input of a model whose dense layers tell its size.
std::optional<FittedModel> fit_other_size(const Fitting& asked, const WeightsOfModel& weights) {
  std::vector<Shape> tried;
  std::optional<nn::Model> model;
  std::int64_t first = 0, last = 0;
  for (std::int64_t side = 1; side <= kMostSide; ++side) {
    const auto next = built(asked.name, square(side), kUsualOutputs);
    if (!next) continue;
    // The weights depend on the size only through what is flattened.
    std::vector<Shape> images = nn::flattened_images(*next);
    const bool has_other_weights = images != tried;
    if (model && has_other_weights) break;
    last = side;
    if (!has_other_weights) continue;
    tried = std::move(images);
    model = filled(asked, square(side), weights);
    first = side;
  }
  if (!model) return std::nullopt;
  if (first == last) return FittedModel{*std::move(model), "the one that the weights fit"};
  model->input = square(last);
  throw UsageError(concat(asked.command, ": ", weights.path().string(), ": the weights fit '",
                          asked.name, "' with any input from ", size_text(first), " to ",
                          size_text(last),
                          "; say which they were trained with: ", asked.options_for(*model)));
}

}  // namespace

WeightsOfModel::WeightsOfModel(const std::filesystem::path& path, PretrainedOptions options)
    : file_(path), options_(std::move(options)) {
  if (holds_model(file_.metadata())) theirs_ = read_model(path);
}

std::string WeightsOfModel::network() const {
  if (const KnownWeights* const known = known_file(path())) return known->model;
  const auto published = published_model(file_);
  return published ? published->network : std::string();
}

bool WeightsOfModel::fits(const nn::Model& model) const {
  try {
    return match_weights(file_, model, model.layers.size(), options_).missing.empty();
  } catch (const UsageError&) {
    throw;  // of the options
  } catch (const Error&) {
    return false;
  }
}

std::vector<std::int64_t> WeightsOfModel::possible_outputs() const {
  std::vector<std::int64_t> all{kUsualOutputs};
  const auto add = [&all](std::int64_t extent) {
    if (extent >= 1 && std::find(all.begin(), all.end(), extent) == all.end()) {
      all.push_back(extent);
    }
  };
  for (auto tensor = file_.tensors().rbegin(); tensor != file_.tensors().rend(); ++tensor) {
    if (tensor->shape.rank() == 0) continue;
    add(tensor->shape[0]);   // PyTorch's kernels, and biases
    add(tensor->shape[-1]);  // Keras's kernels
  }
  return all;
}

nn::Model usual_zoo_model(const Fitting& asked) {
  return nn::zoo_model(asked.name, asked.input.value_or(square(kUsualSide)),
                       asked.outputs > 0 ? asked.outputs : kUsualOutputs);
}

std::optional<FittedModel> fit_zoo_model(const Fitting& asked, const WeightsOfModel& weights) {
  if (weights.model() && !asked.input) {
    const nn::Model& theirs = *weights.model();
    return FittedModel{nn::zoo_model(asked.name, theirs.input, output_width(theirs)),
                       "that of the file"};
  }
  if (asked.input) check_takes(asked, *asked.input, weights);
  const nn::Model usual = usual_zoo_model(asked);
  const bool is_fixed = sees_fixed_size(usual);
  if (auto model = filled(asked, usual.input, weights)) {
    return FittedModel{*std::move(model), asked.input ? "as asked"
                                          : is_fixed  ? "which the weights fit"
                                                      : "as is usual; --size sets another"};
  }
  if (asked.input || !is_fixed) return std::nullopt;
  return fit_other_size(asked, weights);
}

std::optional<nn::Model> fit_features(const Fitting& asked, const WeightsOfModel& weights) {
  nn::Model model = usual_zoo_model(asked);
  model.layers.erase(model.layers.begin() + static_cast<std::ptrdiff_t>(nn::base_layers(model)),
                     model.layers.end());
  if (model.layers.empty() || !weights.fits(model)) return std::nullopt;
  return model;
}

}  // namespace millrace
