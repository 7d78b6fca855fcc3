#include <millrace/training/class_weights.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace millrace {
namespace {

std::vector<float> balanced(const SampleSet& training) {
  std::vector<double> counts(training.dataset->classes().size());
  for (const std::uint32_t sample : training.samples) {
    ++counts[static_cast<std::size_t>(training.dataset->label(sample))];
  }
  std::vector<float> weights;
  for (const double count : counts) {
    // A class without samples is never weighted.
    const double share = count / static_cast<double>(training.size());
    weights.push_back(
        count == 0 ? 1.0F : static_cast<float>(1 / (static_cast<double>(counts.size()) * share)));
  }
  return weights;
}

std::size_t class_named(std::string_view name, const std::vector<std::string>& classes) {
  const auto found = std::find(classes.begin(), classes.end(), name);
  if (found != classes.end()) return static_cast<std::size_t>(found - classes.begin());
  constexpr std::size_t kListed = 10;
  std::string known;
  for (std::size_t i = 0; i < std::min(classes.size(), kListed); ++i) {
    known += (i == 0 ? "" : ", ") + classes[i];
  }
  throw UsageError(concat("class weights: unknown class '", name, "'; classes: ", known,
                          classes.size() > kListed ? ", ..." : ""));
}

float weight_of(std::string_view text, std::string_view name) {
  float weight = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), weight);
  const bool is_number = error == std::errc{} && end == text.data() + text.size();
  if (!is_number || !std::isfinite(weight) || weight < 0) {
    throw UsageError(
        concat("class weights: '", text, "' of '", name, "' is not a number of 0 or more"));
  }
  return weight;
}

}  // namespace

std::vector<float> class_weights(std::string_view words, const SampleSet& training) {
  if (words.empty()) return {};
  if (training.dataset->classes().empty()) {
    throw UsageError(
        "class weights: the data have targets and no classes; leave --class-weight out");
  }
  if (words == "balanced") return balanced(training);
  const std::vector<std::string>& classes = training.dataset->classes();
  std::vector<float> weights(classes.size(), 1.0F);
  std::vector<bool> is_given(classes.size());
  while (!words.empty()) {
    const std::string_view word = words.substr(0, words.find(','));
    words.remove_prefix(std::min(word.size() + 1, words.size()));
    const std::size_t equals = word.rfind('=');  // names may hold one
    if (equals == std::string_view::npos) {
      throw UsageError(
          concat("class weights: expected 'balanced' or NAME=WEIGHT,..., not '", word, "'"));
    }
    const std::string_view name = word.substr(0, equals);
    const std::size_t label = class_named(name, classes);
    if (is_given[label]) throw UsageError(concat("class weights: '", name, "' is given twice"));
    is_given[label] = true;
    weights[label] = weight_of(word.substr(equals + 1), name);
  }
  if (std::all_of(weights.begin(), weights.end(), [](float w) { return w == 0; })) {
    throw UsageError("class weights: all are 0, so there is nothing to learn");
  }
  return weights;
}

}  // namespace millrace
