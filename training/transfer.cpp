#include <millrace/training/transfer.h>

#include <millrace/core/cache_folder.h>
#include <millrace/core/error.h>
#include <millrace/core/number_text.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/transfer.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/find_model.h>
#include <millrace/training/known_weights.h>
#include <millrace/training/tensor_names.h>

#include <algorithm>
#include <vector>

namespace millrace {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void is_not_there(const std::string& word, const KnownWeights* known) {
  if (known != nullptr) {
    throw Error(concat((cache_folder() / known->file).string(),
                       ": no such weight file; 'scripts/fetch-weights ", word, "' fetches ",
                       known->maker, "'s weights of ", known->model, ", which are then called ",
                       word));
  }
  std::vector<std::string> names;
  for (const KnownWeights& row : known_weights()) names.push_back(row.name);
  throw Error(concat(word,
                     ": no such weight file; 'scripts/fetch-weights vgg16' fetches published "
                     "ones, which are then called vgg16; there are ",
                     list_of(names)));
}

/// A head is new, so the file is only for what is before it.
std::size_t layers_of_file(const ModelSpec& o, const nn::Model& model) {
  return o.head.empty() ? model.layers.size() : nn::base_layers(model);
}

void check_frozen(const ModelSpec& o, const Pretrained& weights, const nn::Model& model) {
  for (const nn::Layer& layer : model.layers) {
    const auto missing = std::find_if(
        weights.missing().begin(), weights.missing().end(), [&](const std::string& name) {
          return !layer.trainable && name.substr(0, name.rfind('.')) == layer.name;
        });
    if (missing == weights.missing().end()) continue;
    throw Error(concat(o.weights, ": ", weights.why_missing(*missing), ", but --freeze ", o.freeze,
                       " keeps that layer as it is; freeze less, or give a file that has it"));
  }
}

}  // namespace

fs::path weights_file(const std::string& word) {
  std::error_code ignored;
  const KnownWeights* const known = find_known_weights(word);
  // A folder that happens to have a published name is no run.
  const bool is_folder = fs::is_directory(word, ignored);
  if (is_folder && known == nullptr) return model_file(word);
  if (!is_folder && fs::exists(word, ignored)) return word;
  if (known == nullptr) is_not_there(word, known);
  fs::path path = cache_folder() / known->file;
  if (!fs::exists(path, ignored)) is_not_there(word, known);
  check_known_file(path, *known);
  return path;
}

nn::Model with_transfer(nn::Model model, const ModelSpec& o, std::int64_t outputs,
                        nn::Initializer initializer) {
  if (!o.head.empty()) model = nn::with_head(model, o.head, outputs, initializer);
  if (!o.freeze.empty()) nn::freeze(model, o.freeze);
  return model;
}

std::shared_ptr<const Pretrained> open_weights(const ModelSpec& o, const nn::Model& model) {
  if (o.weights.empty()) return nullptr;
  auto weights = std::make_shared<const Pretrained>(
      weights_file(o.weights), model, layers_of_file(o, model),
      PretrainedOptions{.ignored = o.ignore_layers, .flatten = o.flatten_order});
  check_frozen(o, *weights, model);
  return weights;
}

void take_preprocessing(const std::string& name, const Pretrained* weights, nn::Model& model) {
  nn::Preprocessing& own = model.preprocessing;
  if (nn::in_zoo(name)) own.scale = nn::default_preprocessing(model.input).scale;
  if (!says_orientation(name)) own.exif_orientation = model.input.rank() == 3;
  if (weights != nullptr && !json_says_preprocessing(name)) own = weights->preprocessing_over(own);
}

std::string describe_transfer(const Pretrained* weights, const nn::Model& model) {
  if (weights == nullptr) return "";
  std::string text = concat("weights     ", weights->report(), '\n');
  const auto& theirs = weights->preprocessing();
  text += "            ";
  if (!weights->known_as().empty()) {
    text += concat("by ", weights->known_by(), ' ', weights->known_as(), "; ");
  }
  if (!theirs) {
    text +=
        "the file does not say with what input they were trained; set it with --preprocessing, "
        "or --scale, --mean and --deviation\n";
  } else if (*theirs == nn::with_reading_of(*theirs, model.preprocessing)) {
    text += "they were trained with this input\n";
  } else {
    text += concat("they were trained with another input, ", nn::describe(*theirs), '\n');
  }
  std::int64_t all = 0, trained = 0;
  for (const nn::LayerSummary& layer : nn::summarize(model)) {
    all += layer.parameters;
    trained += layer.trainable_parameters;
  }
  const auto number = [](std::int64_t n) { return with_commas(static_cast<std::uint64_t>(n)); };
  return text + concat("trained     ", number(trained), " of ", number(all), " parameters\n");
}

}  // namespace millrace
