#include <millrace/training/pretrained.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/known_weights.h>
#include <millrace/training/published_weights.h>
#include <millrace/training/tensor_names.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace millrace {

Pretrained::Pretrained(const std::filesystem::path& path, const nn::Model& model,
                       std::size_t layers, const PretrainedOptions& options)
    : file_(std::make_shared<const WeightFile>(path)) {
  source_ = file_->is_keras() ? "Keras" : holds_model(file_->metadata()) ? "Millrace" : "PyTorch";
  match_ = match_weights(*file_, model, layers, options);
  preprocessing_ = saved_preprocessing(*file_);
  knows_reading_ = preprocessing_.has_value();
  const bool sees_rgb = model.input.rank() == 3 && model.input[2] == 3;
  if (preprocessing_ || !sees_rgb) return;
  if (const KnownWeights* const known = known_file(path)) {
    take_known(*known);
  } else if (const auto published = published_model(*file_)) {
    take_published(*published);
  }
}

void Pretrained::take_published(const PublishedModel& published) {
  preprocessing_ = nn::preprocessing_named(published.preprocessing);
  known_as_ = concat(published.maker, "'s ", published.model);
  known_by_ = "names and shapes";
}

void Pretrained::take_known(const KnownWeights& known) {
  preprocessing_ = preprocessing_of(known);
  if (!known.filter.empty()) filter_ = known.filter;
  known_as_ = concat(known.maker, "'s ", known.model, " (", known.licence, ')');
  known_by_ = "its hash";
  if (known.is_of_imagenet && match_.missing.empty()) classes_ = imagenet_classes();
}

nn::Preprocessing Pretrained::preprocessing_over(const nn::Preprocessing& own) const {
  if (!preprocessing_) return own;
  if (knows_reading_) return *preprocessing_;
  nn::Preprocessing result = nn::with_reading_of(own, *preprocessing_);
  if (filter_) result.filter = *filter_;
  return result;
}

std::string Pretrained::why_missing(const std::string& parameter) const {
  const auto unfit = match_.unfit.find(parameter);
  return unfit != match_.unfit.end() ? unfit->second : concat("it has no '", parameter, "'");
}

void Pretrained::load(std::span<float> arena) const {
  for (const WeightMatch::Assignment& assignment : match_.assignments) {
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
  std::string text =
      concat(file_->path().string(), " (", source_, "): ", match_.matched.size(), " of ",
             match_.matched.size() + match_.missing.size(), ' ',
             plural(match_.matched.size() + match_.missing.size(), "tensor"), " of the model");
  std::vector<std::string> absent, differing;
  for (const std::string& name : match_.missing) {
    const auto unfit = match_.unfit.find(name);
    unfit == match_.unfit.end() ? absent.push_back(name) : differing.push_back(unfit->second);
  }
  if (!differing.empty()) text += "; of another shape, so newly initialised: " + list_of(differing);
  if (!absent.empty()) text += "; not in the file: " + list_of(absent);
  if (!match_.left_over.empty()) text += "; left over in the file: " + list_of(match_.left_over);
  if (match_.are_by_layer_names) text += "; matched by the names of layers";
  if (!match_.prefix.empty()) text += concat("; read without the prefix ", match_.prefix);
  if (!match_.reordered.empty()) {
    text += concat("; inputs of ", list_of(match_.reordered),
                   " taken as PyTorch flattens images, channel, row, column (else: --flatten-order "
                   "channels_last)");
  }
  return text;
}

}  // namespace millrace
