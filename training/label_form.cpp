#include <millrace/training/label_form.h>

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/layers/softmax.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/find_model.h>

#include <algorithm>

namespace millrace {
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

/// A sigmoid's loss compares with pixels in 0..1.
void check_input_mode(const nn::Model& model) {
  const nn::Preprocessing& p = model.preprocessing;
  if (model.input.rank() != 3) {
    throw UsageError("--class-mode input is for images; the data are rows of numbers");
  }
  if (!is_in_unit_range(p)) {
    throw UsageError(
        concat("--class-mode input compares outputs with pixels in 0..1; this "
               "preprocessing gives other values: ",
               nn::describe(p), "; leave it out, or give --preprocessing rescale"));
  }
  const nn::Layer& last = model.layers.back();
  if (!last.kind.is<nn::Sigmoid>()) {
    throw UsageError(
        concat("--class-mode input needs a model that ends in a sigmoid, whose "
               "outputs are in 0..1 as pixels are; this one ends in '",
               last.name, "', ", nn::kind_name(last.kind)));
  }
  if (output_width(model) != model.input.elements()) {
    throw UsageError(concat("--class-mode input needs an output for each of ",
                            model.input.elements(), " elements of a sample; the model has ",
                            output_width(model)));
  }
}

}  // namespace

std::int64_t outputs_for(const LabelSpec& o, std::int64_t classes, const Shape& sample) {
  if (!o.class_mode) return classes == 2 ? 1 : classes;
  const ClassMode mode = *o.class_mode;
  check_class_mode(mode, classes);
  if (mode == ClassMode::input) return sample.elements();
  return mode == ClassMode::binary ? 1 : classes;
}

ClassMode class_mode_for(const LabelSpec& o, const nn::Model& model) {
  if (o.class_mode) return *o.class_mode;
  return output_width(model) == 1 ? ClassMode::binary : ClassMode::sparse;
}

void fit_to_class_mode(const LabelSpec& o, std::int64_t classes, bool is_own_end,
                       nn::Model& model) {
  if (!o.class_mode) return;
  const ClassMode mode = *o.class_mode;
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
    throw UsageError(concat("--class-mode ", to_string(mode), " needs a model with ", wanted, ' ',
                            plural(wanted, "output"), "; this one has ", output_width(model)));
  }
}

void fit_to_targets(const LabelSpec& o, const Dataset& training, bool is_own_end,
                    nn::Model& model) {
  if (o.class_mode) {
    throw UsageError(concat("--class-mode ", to_string(*o.class_mode),
                            " is for classes, and the data have targets; leave it out"));
  }
  const nn::LayerKind& end = model.layers.back().kind;
  if (!is_own_end && (end.is<nn::Softmax>() || end.is<nn::Sigmoid>())) {
    const std::vector<TargetRange> ranges = target_ranges(training);
    const bool are_labels = std::all_of(ranges.begin(), ranges.end(),
                                        [](const TargetRange& range) { return range.is_label; });
    if (are_labels)
      model.layers.back() = {"output", nn::Sigmoid{}};
    else
      model.layers.pop_back();
  }
  model.classes.clear();
  model.targets = training.targets();
}

}  // namespace millrace
