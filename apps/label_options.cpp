#include "apps/label_options.h"

#include "apps/find_model.h"
#include "apps/lists.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/files.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/layers/softmax.h>
#include <millrace/nn/preprocessing.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <system_error>
#include <variant>

namespace millrace::apps {
namespace {

/// Whether pixels of 0 to 255 become numbers in 0..1.
bool is_in_unit_range(const nn::Preprocessing& p) {
  constexpr double kRounding = 1e-4;  // of float32 constants such as 1/255
  if (nn::needs_whole_samples(p)) return false;
  const std::size_t channels = std::max({p.mean.size(), p.deviation.size(), std::size_t{1}});
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = c < p.mean.size() ? double{p.mean[c]} : 0;
    const double deviation = c < p.deviation.size() ? double{p.deviation[c]} : 1;
    for (const double pixel : {0.0, 255.0}) {
      const double x = (pixel * double{p.scale} - mean) / deviation;
      if (!(x >= -kRounding && x <= 1 + kRounding)) return false;
    }
  }
  return true;
}

std::string trimmed(const std::string& text) {
  constexpr const char* kBlanks = " \t\r";
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

bool is_class_names_file(const std::string& text) {
  std::error_code ignored;
  return !text.empty() && std::filesystem::is_regular_file(text, ignored);
}

/// A sigmoid's loss compares with pixels in 0..1.
void check_input_mode(const nn::Model& model) {
  const nn::Preprocessing& p = model.preprocessing;
  if (model.input.rank() != 3) {
    throw UsageError("train: --class-mode input is for images, the data are rows of numbers");
  }
  if (!is_in_unit_range(p)) {
    throw UsageError(
        concat("train: --class-mode input compares outputs with pixels in 0..1; this "
               "preprocessing gives others: ",
               nn::describe(p), "; leave it out, or say --preprocessing rescale"));
  }
  const nn::Layer& last = model.layers.back();
  if (!last.kind.is<nn::Sigmoid>()) {
    throw UsageError(
        concat("train: --class-mode input wants a model that ends in a sigmoid, whose "
               "outputs are in 0..1 as pixels are; this one ends in '",
               last.name, "', ", nn::kind_name(last.kind)));
  }
  if (output_width(model) != model.input.elements()) {
    throw UsageError(concat("train: --class-mode input wants an output for each of ",
                            model.input.elements(), " elements of a sample; the model has ",
                            output_width(model)));
  }
}

}  // namespace

void declare(CommandLine& line, LabelOptions& o) {
  line.topic("labels", "Labels");
  line("class-mode", o.class_mode, "MODE",
       "binary (one output, default for two classes), sparse (default), categorical (rows of zeros "
       "and a one), input (the image itself, for autoencoders)");
  line("class-weight", o.class_weight, "W",
       "how much classes weigh in the loss of training: balanced, or cats=2,dogs=1; default 1");
  line("class-names", o.class_names, "A,B,...|FILE", kClassNamesHelp);
}

std::vector<std::string> class_names_of(const std::string& text) {
  if (text.empty()) return {};
  std::vector<std::string> names;
  if (is_class_names_file(text)) {
    const std::vector<std::byte> bytes = read_file(text);
    std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (all.starts_with("\xEF\xBB\xBF")) all.remove_prefix(3);  // a byte order mark
    std::istringstream lines{std::string(all)};
    for (std::string line; std::getline(lines, line);) {
      names.push_back(line);
    }
    while (!names.empty() && trimmed(names.back()).empty()) names.pop_back();
  } else {
    names = words_of(text);
  }
  for (std::string& name : names) name = trimmed(name);  // a recipe does not keep blanks at an end
  for (const std::string& name : names) {
    if (as_utf8(name) == name) continue;
    throw UsageError(concat("--class-names: ", shown(name), " is not UTF-8"));
  }
  if (names.size() < 2) {
    throw UsageError(
        concat("--class-names: '", text, "' is neither a file nor names with commas between them"));
  }
  return names;
}

void check(const LabelOptions& o) {
  if (o.class_mode.empty()) return;
  if (class_mode_named(o.class_mode) == ClassMode::none) {
    throw UsageError(
        "train: --class-mode none gives nothing to learn from; it is for programs that "
        "read images by image_folder()");
  }
}

std::string class_names_text(const std::string& text) {
  if (!is_class_names_file(text)) return text;
  const std::vector<std::string> names = class_names_of(text);
  std::string words;
  for (const std::string& name : names) words += concat(words.empty() ? "" : ",", name);
  const bool are_words = words_of(words) == names && !is_class_names_file(words);
  return are_words ? words : std::filesystem::absolute(text).string();
}

std::int64_t outputs_for(const LabelOptions& o, std::int64_t classes, const Shape& sample) {
  if (o.class_mode.empty()) return classes == 2 ? 1 : classes;
  const ClassMode mode = class_mode_named(o.class_mode);
  check_class_mode(mode, classes);
  if (mode == ClassMode::input) return sample.elements();
  return mode == ClassMode::binary ? 1 : classes;
}

ClassMode class_mode_for(const LabelOptions& o, const nn::Model& model) {
  if (!o.class_mode.empty()) return class_mode_named(o.class_mode);
  return output_width(model) == 1 ? ClassMode::binary : ClassMode::sparse;
}

void fit_to_class_mode(const LabelOptions& o, std::int64_t classes, bool is_own_end,
                       nn::Model& model) {
  if (o.class_mode.empty()) return;
  const ClassMode mode = class_mode_named(o.class_mode);
  check_class_mode(mode, classes);
  if (mode == ClassMode::input) {
    nn::Layer& last = model.layers.back();
    const bool is_ours = !is_own_end && last.kind.is<nn::Softmax>();
    if (is_ours) last = {"output", nn::Sigmoid{}};
    check_input_mode(model);
    model.classes.clear();
    return;
  }
  const std::int64_t wanted = mode == ClassMode::binary ? 1 : classes;
  if (output_width(model) != wanted) {
    throw UsageError(concat("train: --class-mode ", o.class_mode, " wants a model with ", wanted,
                            ' ', plural(wanted, "output"), "; this one has ", output_width(model)));
  }
}

}  // namespace millrace::apps
