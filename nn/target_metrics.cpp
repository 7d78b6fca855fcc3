#include <millrace/nn/target_metrics.h>

#include <millrace/core/error.h>
#include <millrace/nn/layers/sigmoid.h>
#include <millrace/nn/model.h>
#include <millrace/nn/roc_auc.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace millrace::nn {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

struct Figure {
  std::string_view name;
  double TargetFigures::*value;
  bool is_of_labels;
  std::int64_t fewest;  ///< values that it needs
};
constexpr std::array<Figure, 5> kFigures{
    {{"mse", &TargetFigures::mse, false, 1},
     {"mae", &TargetFigures::mae, false, 1},
     {"r2", &TargetFigures::r2, false, 2},
     {"binary_accuracy", &TargetFigures::binary_accuracy, true, 1},
     {"auc", &TargetFigures::auc, true, 2}}};

/// "r2 price" as the figure and "price"; the figure is null where there is none of this name.
std::pair<const Figure*, std::string_view> parts_of(std::string_view name) {
  const std::size_t space = name.find(' ');
  const auto found = std::find_if(kFigures.begin(), kFigures.end(), [&](const Figure& figure) {
    return figure.name == name.substr(0, space);
  });
  return {found == kFigures.end() ? nullptr : &*found,
          space == std::string_view::npos ? std::string_view() : name.substr(space + 1)};
}

}  // namespace

bool gives_labels(const Model& model) {
  return !model.targets.empty() && model.layers.back().kind.is<Sigmoid>();
}

std::vector<std::string> usual_target_metrics(const Model& model) {
  if (gives_labels(model)) return {"binary_accuracy"};
  return {"mae", "r2"};
}

void check_target_metric(std::string_view name, const Model& model) {
  const auto [figure, target] = parts_of(name);
  if (figure == nullptr) {
    throw UsageError(concat("unknown metric '", name, "' of targets; known: mse, mae, r2, and of ",
                            "labels binary_accuracy and auc, alone or followed by the name of a ",
                            "target, as in 'r2 ", model.targets.front(), "'"));
  }
  if (figure->is_of_labels && !gives_labels(model)) {
    throw UsageError(concat("metric '", name, "' is for labels of 0 and 1, and the model gives ",
                            "numbers, since it does not end in a sigmoid; known: mse, mae, r2"));
  }
  const bool is_of_all = name.size() == figure->name.size();
  if (!is_of_all && std::count(model.targets.begin(), model.targets.end(), target) == 0) {
    throw UsageError(concat("metric '", name, "': there is no target '", target, "'"));
  }
}

TargetMetrics::TargetMetrics(const Model& model, bool auc)
    : names_(model.targets),
      are_labels_(gives_labels(model)),
      auc_(auc && are_labels_),
      sums_(model.targets.size()) {
  MILLRACE_CHECK(!names_.empty(), "the model '", model.name, "' has no targets to measure");
}

void TargetMetrics::add(std::span<const float> outputs, ConstTensorView targets,
                        std::int64_t samples) {
  const auto width = static_cast<std::int64_t>(sums_.size());
  const bool fits = targets.dtype == DType::f32 && targets.shape.rank() > 0 &&
                    targets.shape[0] >= samples &&
                    targets.shape.elements() == targets.shape[0] * width;
  if (!fits) {
    throw Error(concat("metrics: targets ", to_string(targets.dtype), " ", targets.shape, " for ",
                       samples, " samples; expected f32 [N][", width, "]"));
  }
  MILLRACE_CHECK(static_cast<std::int64_t>(outputs.size()) >= samples * width,
                 "metrics: ", outputs.size(), " outputs for ", samples, " samples of ", width,
                 " targets");
  const std::span<const float> wanted = targets.as<float>();
  for (std::size_t i = 0; i < static_cast<std::size_t>(samples * width); ++i) {
    if (std::isnan(wanted[i])) continue;
    add(sums_[i % sums_.size()], static_cast<double>(outputs[i]), static_cast<double>(wanted[i]));
  }
}

void TargetMetrics::add(Sums& sums, double output, double target) const {
  ++sums.known;
  const double error = output - target;
  sums.squares += error * error;
  sums.errors += std::abs(error);
  // Welford's: sums of squares would lose the spread of targets that are far from 0.
  const double before = target - sums.mean;
  sums.mean += before / static_cast<double>(sums.known);
  sums.spread += before * (target - sums.mean);
  if (!are_labels_) return;
  const bool is_positive = target > 0.5;
  sums.right += (output > 0.5) == is_positive ? 1 : 0;
  if (!auc_) return;
  sums.outputs.push_back(output);
  sums.is_positive.push_back(is_positive);
}

void TargetMetrics::reset() {
  for (Sums& sums : sums_) {
    sums.outputs.clear();
    sums.is_positive.clear();
    sums = {.outputs = std::move(sums.outputs), .is_positive = std::move(sums.is_positive)};
  }
}

void TargetMetrics::reserve(std::int64_t samples) {
  if (!auc_) return;
  for (Sums& sums : sums_) {
    sums.outputs.reserve(static_cast<std::size_t>(samples));
    sums.is_positive.reserve(static_cast<std::size_t>(samples));
  }
}

Bytes TargetMetrics::bytes(std::int64_t samples) const {
  const std::uint64_t own = sums_.size() * sizeof(Sums);
  if (!auc_) return Bytes{own};
  const auto n = static_cast<std::uint64_t>(samples);
  const std::uint64_t kept = sums_.size() * (n * sizeof(double) + n / 8);
  return Bytes{own + kept + n * sizeof(std::size_t)};
}

TargetFigures TargetMetrics::figures(const Sums& sums) const {
  const auto n = static_cast<double>(sums.known);
  TargetFigures figures{.mse = kNaN,
                        .mae = kNaN,
                        .r2 = kNaN,
                        .binary_accuracy = kNaN,
                        .auc = kNaN,
                        .known = sums.known};
  if (sums.known == 0) return figures;
  figures.mse = sums.squares / n;
  figures.mae = sums.errors / n;
  if (sums.known > 1) {
    const double of_constant = sums.squares == 0 ? 1 : sums.squares > 0 ? 0 : kNaN;
    figures.r2 = sums.spread > 0 ? 1 - sums.squares / sums.spread : of_constant;
  }
  if (are_labels_) figures.binary_accuracy = static_cast<double>(sums.right) / n;
  if (auc_) figures.auc = roc_auc(sums.outputs, sums.is_positive);
  return figures;
}

std::vector<TargetFigures> TargetMetrics::per_target() const {
  std::vector<TargetFigures> all;
  for (const Sums& sums : sums_) all.push_back(figures(sums));
  return all;
}

TargetFigures TargetMetrics::mean(std::span<const TargetFigures> targets) {
  TargetFigures result;
  for (const TargetFigures& target : targets) result.known += target.known;
  for (const Figure& figure : kFigures) {
    double sum = 0, count = 0;
    for (const TargetFigures& target : targets) {
      const double value = target.*figure.value;
      // An area may lack for want of one kind; else NaN comes of outputs that are, and is to show.
      const bool lacks = figure.value == &TargetFigures::auc && std::isnan(value);
      const bool exists = target.known >= figure.fewest && !lacks;
      sum += exists ? value : 0;
      count += exists ? 1 : 0;
    }
    result.*figure.value = count == 0 ? kNaN : sum / count;
  }
  return result;
}

double TargetMetrics::value(std::string_view name) const {
  const auto [figure, target] = parts_of(name);
  MILLRACE_CHECK(figure != nullptr, "there is no metric '", name, "' of targets");
  if (name.size() == figure->name.size()) return mean(per_target()).*(figure->value);
  const auto found = std::find(names_.begin(), names_.end(), target);
  MILLRACE_CHECK(found != names_.end(), "there is no target '", target, "'");
  return figures(sums_[static_cast<std::size_t>(found - names_.begin())]).*(figure->value);
}

}  // namespace millrace::nn
