#include <millrace/training/defined_measures.h>

#include <millrace/core/error.h>
#include <millrace/nn/target_metrics.h>

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

/// The figures of a model that gives 0 for all.
nn::TargetMetrics measured(const CallbackSpec& o, const SampleSet& set, const nn::Model& model) {
  const bool has_auc = std::any_of(o.metrics.begin(), o.metrics.end(),
                                   [](const std::string& name) { return name.starts_with("auc"); });
  nn::TargetMetrics metrics(model, has_auc);
  const std::size_t width = model.targets.size();
  std::vector<float> outputs(width), targets(width);
  for (const std::uint32_t sample : set.samples) {
    set.dataset->target(sample, targets);
    const auto* const bytes = std::as_bytes(std::span(targets)).data();
    metrics.add(outputs, {bytes, {1, static_cast<std::int64_t>(width)}, DType::f32}, 1);
  }
  return metrics;
}

/// What a figure of targets must have to be defined.
const char* need_of(const std::string& name) {
  return name.starts_with("r2")    ? "two known values of a target"
         : name.starts_with("auc") ? "known labels of both kinds"
                                   : "a known value";
}

bool is_of_one_class(const SampleSet& set) {
  const auto label = [&](std::uint32_t i) { return set.dataset->label(i); };
  return std::all_of(set.samples.begin(), set.samples.end(),
                     [&](std::uint32_t i) { return label(i) == label(set.samples.front()); });
}

}  // namespace

std::vector<std::string> undefined_measures(const CallbackSpec& o, const SampleSet& validation,
                                            const nn::Model& model, const std::string& where) {
  std::vector<std::string> lines;
  const auto tell = [&](const std::string& name, const char* need) {
    if (o.monitor == "val_" + name) {
      throw Error(concat(where, ": val_", name, " is not defined for the validation samples, for ",
                         "which it needs ", need, "; --monitor another figure, as val_loss"));
    }
    lines.push_back(concat("val_", name, " is not defined for the validation samples, for which ",
                           "it needs ", need));
  };
  if (model.targets.empty()) {
    const bool has_auc = std::find(o.metrics.begin(), o.metrics.end(), "auc") != o.metrics.end();
    if (has_auc && is_of_one_class(validation)) tell("auc", "samples of two classes");
    return lines;
  }
  const nn::TargetMetrics metrics = measured(o, validation, model);
  if (nn::TargetMetrics::mean(metrics.per_target()).known == 0) {
    throw Error(concat(where,
                       ": no target is known of any sample to validate on; give others with ",
                       "--validation, or --validation-share 0 for none"));
  }
  for (const std::string& name : o.metrics) {
    if (std::isnan(metrics.value(name))) tell(name, need_of(name));
  }
  return lines;
}

}  // namespace millrace
