#include <millrace/nn/transfer.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/kinds.h>
#include <millrace/nn/layers/registry.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

namespace millrace::nn {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = std::min(text.find(separator), text.size());
    parts.push_back(text.substr(0, end));
    if (end == text.size()) return parts;
    text.remove_prefix(end + 1);
  }
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// What may follow a dense layer, or stand alone.
#define MILLRACE_NAME(Kind) , std::string_view(Kind::kFacts.name)
constexpr std::array kActivations{std::string_view(Relu::kFacts.name)
                                      MILLRACE_ELEMENTWISE_KINDS(MILLRACE_NAME)};
#undef MILLRACE_NAME

/// Reads the words of a head into a builder.
class HeadReader {
 public:
  HeadReader(std::string_view head, std::int64_t outputs, ModelBuilder& builder)
      : head_(head), outputs_(outputs), builder_(builder) {}

  void read() {
    const std::vector<std::string_view> words = split(head_, ',');
    for (std::size_t i = 0; i + 1 < words.size(); ++i) add(words[i]);
    if (words.back() != "dense") refuse(words.back(), "the last word must be dense, the output");
    builder_.dense(outputs_);
    outputs_ == 1 ? builder_.sigmoid() : builder_.softmax();
  }

 private:
  void add(std::string_view word) {
    const std::vector<std::string_view> parts = split(word, ':');
    if (word == "gap") {
      builder_.global_avg_pool();
    } else if (word == "flatten") {
      builder_.flatten();
    } else if (word == "batch_norm") {
      builder_.batch_norm();
    } else if (parts[0] == "dropout" && parts.size() == 2) {
      builder_.dropout(number<float>(word, parts[1]));
    } else if (parts[0] == "dense" && (parts.size() == 2 || parts.size() == 3)) {
      builder_.dense(number<std::int64_t>(word, parts[1]));
      if (parts.size() == 3) add_activation(word, parts[2]);
    } else {
      add_activation(word, word);
    }
  }

  void add_activation(std::string_view word, std::string_view name) {
    if (std::ranges::find(kActivations, name) == kActivations.end()) {
      refuse(word, concat("known: gap, flatten, batch_norm, dropout:RATE, dense:UNITS, "
                          "dense:UNITS:relu, ",
                          kActivations[0], ", ", kActivations[1], " and ", kActivations.size() - 2,
                          " more activations, and dense at the end"));
    }
    builder_.add(layer_kind(name).value());
  }

  template <class T>
  T number(std::string_view word, std::string_view text) const {
    T value{};
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, value);
    if (read.ec != std::errc{} || read.ptr != end) refuse(word, "expected a number after ':'");
    return value;
  }

  [[noreturn]] void refuse(std::string_view word, std::string_view why) const {
    throw UsageError(concat("head '", head_, "': '", word, "': ", why));
  }

  std::string_view head_;
  std::int64_t outputs_;
  ModelBuilder& builder_;
};

/// torchvision's word for what makes classes of features; SqueezeNet's is convolutions.
constexpr std::string_view kClassifier = "classifier.";

bool has_parameters(const LayerSummary& layer) {
  return layer.parameters > 0;
}

/// Of the layers with weights: the first ones and the last.
std::string some_names(const Model& model, const std::vector<LayerSummary>& summaries) {
  constexpr std::size_t kMost = 6;
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    if (has_parameters(summaries[i])) names.emplace_back(model.layers[i].name);
  }
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool is_shown = names.size() <= kMost || i + 2 < kMost || i + 1 == names.size();
    if (is_shown) text += concat(i == 0 ? "" : ", ", names[i]);
  }
  return names.size() <= kMost ? text : concat(text, " and ", names.size() - kMost + 1, " more");
}

}  // namespace

std::size_t base_layers(const Model& model) {
  const std::vector<std::vector<int>> inputs = input_layers(model);
  std::size_t result = model.layers.size();
  auto earliest = static_cast<int>(result);  // of what later layers take
  for (std::size_t i = result; i-- > 0;) {
    const LayerKind& kind = model.layers[i].kind;
    const bool ends_images = kind.is<Flatten>() || kind.is<GlobalAvgPool>() ||
                             model.layers[i].name.starts_with(kClassifier);
    if (ends_images && earliest >= static_cast<int>(i)) result = i;
    earliest = std::min(earliest, *std::ranges::min_element(inputs[i]));
  }
  return result;
}

Model with_head(const Model& model, std::string_view head, std::int64_t outputs,
                Initializer initializer) {
  Model result = model;
  result.layers.resize(base_layers(model));
  result.classes.clear();
  result.targets.clear();
  const bool has_base = !result.layers.empty();
  const Shape features = has_base ? summarize(result).back().output : model.input;
  try {
    ModelBuilder builder("head", features);
    builder.initializer(initializer);
    HeadReader(head, outputs, builder).read();
    for (Layer layer : builder.build().layers) {
      layer.name = "head." + layer.name;
      result.layers.push_back(std::move(layer));
    }
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(concat("head '", head, "' on features of ", features, ": ", error.what()));
  }
  validate(result);
  return result;
}

bool draws(const LayerKind& kind) {
  return kind->is_identity(false) && !kind->is_identity(true);
}

bool has_prefix(std::string_view name, std::string_view prefix) noexcept {
  if (prefix.empty() || !name.starts_with(prefix)) return false;
  return name.size() == prefix.size() || !is_digit(prefix.back()) || !is_digit(name[prefix.size()]);
}

std::size_t freeze(Model& model, std::string_view prefixes) {
  const std::vector<LayerSummary> summaries = summarize(model);
  for (const std::string_view prefix : split(prefixes, ',')) {
    bool matches = false;
    for (std::size_t i = 0; i < model.layers.size(); ++i) {
      if (!has_prefix(model.layers[i].name, prefix)) continue;
      model.layers[i].trainable = false;
      matches = matches || has_parameters(summaries[i]) || draws(model.layers[i].kind);
    }
    if (matches) continue;
    throw UsageError(concat("no layer with weights has a name that begins with '", prefix,
                            "'; there are ", some_names(model, summaries)));
  }
  std::size_t frozen = 0;
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    if (!model.layers[i].trainable && has_parameters(summaries[i])) ++frozen;
  }
  return frozen;
}

}  // namespace millrace::nn
