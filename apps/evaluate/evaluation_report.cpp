#include "apps/evaluate/evaluation_report.h"

#include "apps/common/table.h"

#include <millrace/core/number_text.h>
#include <millrace/core/shown_text.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <ostream>
#include <sstream>
#include <utility>

namespace millrace::apps {
namespace {

constexpr std::size_t kTableClasses = 40;   // more make a table of the worst
constexpr std::size_t kMatrixClasses = 15;  // more do not fit beside each other
constexpr std::size_t kWorst = 10;

/// What does not exist is "-": for people also the zeros that a class without samples has, which
/// are in no mean.
std::vector<std::string> row(const std::string& name, const nn::ClassMetrics& m) {
  const auto figure = [](double value, bool exists = true) {
    return !exists || std::isnan(value) ? std::string("-") : fixed(value, 4);
  };
  const bool has_samples = m.support > 0;
  return {name,
          figure(m.precision),
          figure(m.recall, has_samples),
          figure(m.f1, has_samples),
          figure(m.auc),
          with_commas(static_cast<std::uint64_t>(m.support))};
}

std::int64_t cell(const nn::ClassificationMetrics& metrics, std::size_t label,
                  std::size_t predicted) {
  return metrics.confusion()[label * static_cast<std::size_t>(metrics.classes()) + predicted];
}

void print_table(std::ostream& out, const std::vector<nn::ClassMetrics>& classes,
                 const std::vector<std::string>& names) {
  std::vector<std::size_t> listed(classes.size());
  std::iota(listed.begin(), listed.end(), std::size_t{0});
  if (listed.size() > kTableClasses) {
    std::erase_if(listed, [&](std::size_t c) { return classes[c].support == 0; });
    std::stable_sort(listed.begin(), listed.end(),
                     [&](std::size_t a, std::size_t b) { return classes[a].f1 < classes[b].f1; });
    listed.resize(std::min(listed.size(), kWorst));
    out << "the " << listed.size() << " classes with the lowest F1 of " << classes.size() << ":\n";
  }
  Table table;
  table.add({"class", "precision", "recall", "f1", "auc", "samples"});
  for (const std::size_t c : listed) table.add(row(shown(names[c]), classes[c]));
  table.add(row("mean", nn::ClassificationMetrics::macro(classes)));
  table.add(row("weighted mean", nn::ClassificationMetrics::weighted(classes)));
  out << table;
}

void print_matrix(std::ostream& out, const nn::ClassificationMetrics& metrics,
                  const std::vector<std::string>& names) {
  out << "confusion: a row a label, a column a prediction\n";
  Table table(2);
  std::vector<std::string> head{"", ""};
  for (std::size_t c = 0; c < names.size(); ++c) head.push_back(std::to_string(c));
  table.add(head);
  for (std::size_t label = 0; label < names.size(); ++label) {
    std::vector<std::string> line{std::to_string(label), shown(names[label])};
    for (std::size_t predicted = 0; predicted < names.size(); ++predicted) {
      line.push_back(std::to_string(cell(metrics, label, predicted)));
    }
    table.add(std::move(line));
  }
  out << table;
}

void print_confused(std::ostream& out, const nn::ClassificationMetrics& metrics,
                    const std::vector<std::string>& names) {
  struct Pair {
    std::size_t label, predicted;
    std::int64_t count;
  };
  std::vector<Pair> pairs;
  for (std::size_t label = 0; label < names.size(); ++label) {
    for (std::size_t predicted = 0; predicted < names.size(); ++predicted) {
      const std::int64_t count = cell(metrics, label, predicted);
      if (label != predicted && count > 0) pairs.push_back({label, predicted, count});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair& a, const Pair& b) { return a.count > b.count; });
  pairs.resize(std::min(pairs.size(), kWorst));
  if (!pairs.empty()) out << "confused most:\n";
  for (const Pair& pair : pairs) {
    out << "  " << shown(names[pair.label]) << " taken for " << shown(names[pair.predicted]) << ": "
        << pair.count << '\n';
  }
}

/// Six digits, since targets may be of any size; what does not exist is "-".
std::string figure(double value, bool exists) {
  if (!exists) return "-";
  std::ostringstream text;
  text << value;
  return std::move(text).str();
}

nlohmann::ordered_json figures(const nn::TargetFigures& t, bool are_labels) {
  nlohmann::ordered_json json{{"mse", t.mse}, {"mae", t.mae}, {"r2", t.r2}};
  if (are_labels) {
    json["binary_accuracy"] = t.binary_accuracy;
    json["auc"] = t.auc;
  }
  json["known"] = t.known;
  return json;
}

nlohmann::ordered_json figures(const nn::ClassMetrics& m) {
  return {{"precision", m.precision},
          {"recall", m.recall},
          {"f1", m.f1},
          {"auc", m.auc},
          {"samples", m.support}};
}

}  // namespace

std::vector<std::string> classes_without_samples(const nn::ClassificationMetrics& metrics,
                                                 const std::vector<std::string>& names) {
  std::vector<std::string> missing;
  for (const std::int64_t c : metrics.missing_classes()) {
    missing.push_back(names[static_cast<std::size_t>(c)]);
  }
  return missing;
}

void print_classes(std::ostream& out, const nn::ClassificationMetrics& metrics,
                   const std::vector<std::string>& names) {
  print_table(out, metrics.per_class(), names);
  out << '\n';
  names.size() <= kMatrixClasses ? print_matrix(out, metrics, names)
                                 : print_confused(out, metrics, names);
}

nlohmann::ordered_json json_of(const nn::ClassificationMetrics& metrics,
                               const std::vector<std::string>& names) {
  const std::vector<nn::ClassMetrics> classes = metrics.per_class();
  nlohmann::ordered_json result;
  result["auc"] = nn::ClassificationMetrics::macro(classes).auc;
  result["macro"] = figures(nn::ClassificationMetrics::macro(classes));
  result["weighted"] = figures(nn::ClassificationMetrics::weighted(classes));
  result["classes"] = nlohmann::ordered_json::array();
  result["confusion"] = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < classes.size(); ++c) {
    nlohmann::ordered_json one{{"name", names[c]}};
    one.update(figures(classes[c]));
    result["classes"].push_back(one);
    const auto line = metrics.confusion().subspan(c * classes.size(), classes.size());
    result["confusion"].push_back(std::vector<std::int64_t>(line.begin(), line.end()));
  }
  return result;
}

void print_targets(std::ostream& out, const nn::TargetMetrics& metrics,
                   const std::vector<std::string>& names) {
  const std::vector<nn::TargetFigures> targets = metrics.per_target();
  std::int64_t most = 0;  // values of a target: a mean is of those that have a figure
  for (const nn::TargetFigures& target : targets) most = std::max(most, target.known);
  const auto row = [&](const std::string& name, const nn::TargetFigures& t, std::int64_t known) {
    std::vector<std::string> cells{name};
    if (metrics.are_labels()) {
      cells.insert(cells.end(),
                   {figure(t.binary_accuracy, known > 0), figure(t.auc, !std::isnan(t.auc))});
    } else {
      cells.insert(cells.end(),
                   {figure(t.mse, known > 0), figure(t.mae, known > 0), figure(t.r2, known > 1)});
    }
    cells.push_back(with_commas(static_cast<std::uint64_t>(t.known)));
    return cells;
  };
  Table table;
  if (metrics.are_labels())
    table.add({"target", "accuracy", "auc", "known"});
  else
    table.add({"target", "mse", "mae", "r2", "known"});
  for (std::size_t i = 0; i < targets.size(); ++i) {
    table.add(row(shown(names[i]), targets[i], targets[i].known));
  }
  if (targets.size() > 1) table.add(row("mean", nn::TargetMetrics::mean(targets), most));
  out << table;
}

nlohmann::ordered_json json_of(const nn::TargetMetrics& metrics,
                               const std::vector<std::string>& names) {
  const std::vector<nn::TargetFigures> targets = metrics.per_target();
  nlohmann::ordered_json result = figures(nn::TargetMetrics::mean(targets), metrics.are_labels());
  result.erase("known");
  result["targets"] = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < targets.size(); ++i) {
    nlohmann::ordered_json one{{"name", names[i]}};
    one.update(figures(targets[i], metrics.are_labels()));
    result["targets"].push_back(one);
  }
  return result;
}

nlohmann::ordered_json measured(const EvaluationData& data, std::int64_t samples,
                                const std::vector<std::string>& missing_classes) {
  nlohmann::ordered_json json{{"part", data.part}, {"samples", samples}, {"trained_on", nullptr}};
  if (data.trained_on) json["trained_on"] = *data.trained_on;
  json["classes_without_samples"] = missing_classes;
  return json;
}

}  // namespace millrace::apps
