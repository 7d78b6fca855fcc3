#include "apps/common/engine_choice.h"
#include "apps/common/table.h"
#include "apps/inspect/inspect.h"

#include <millrace/core/error.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/watch.h>
#include <millrace/nn/engine.h>
#include <millrace/nn/model_dot.h>
#include <millrace/training/find_model.h>
#include <millrace/training/outputs.h>

#include <algorithm>
#include <iostream>

namespace millrace::apps {
namespace {

std::string list_of(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) text += (text.empty() ? "" : ", ") + concat(value);
  return text;
}

void print_preprocessing(const nn::Model& model) {
  const nn::Preprocessing& p = model.preprocessing;
  std::cout << "\npreprocessing\n";
  if (model.input.rank() == 3) {
    std::cout << "  images resized to " << model.input[0] << 'x' << model.input[1] << ' '
              << (model.input[2] == 1 ? "grey" : "RGB") << ", filter " << p.filter << '\n';
  }
  if (p.order == nn::ChannelOrder::bgr) std::cout << "  channels in the order BGR\n";
  std::cout << "  multiplied by " << p.scale;
  if (p.samplewise_center) std::cout << ", less the mean of each image";
  if (p.samplewise_deviation) std::cout << ", divided by the deviation of each image";
  if (!p.mean.empty()) std::cout << ", less " << list_of(p.mean);
  if (!p.deviation.empty()) std::cout << ", divided by " << list_of(p.deviation);
  if (p.whiten) std::cout << ", whitened (ZCA)";
  std::cout << '\n';
}

void print_classes(const nn::Model& model) {
  if (!model.targets.empty()) {
    std::cout << '\n'
              << model.targets.size() << ' ' << plural(model.targets.size(), "target") << ": "
              << shown(list_of_names(model.targets)) << '\n';
    return;
  }
  if (model.classes.empty()) {
    std::cout << "\nclasses: not named\n";
    return;
  }
  constexpr std::size_t kMost = 100;
  std::cout << '\n'
            << model.classes.size() << ' ' << plural(model.classes.size(), "class", "classes")
            << ':';
  for (std::size_t i = 0; i < model.classes.size() && i < kMost; ++i) {
    std::cout << (i == 0 ? " " : ", ") << shown(model.classes[i]);
  }
  std::cout << (model.classes.size() > kMost ? ", ...\n" : "\n");
}

}  // namespace

void print_columns(const TableForm& table) {
  constexpr std::size_t kMost = 20;
  const bool is_named = !table.columns.empty();
  if (table.target_columns.empty()) {
    std::cout << "label     column " << table.label_column
              << (is_named ? ", " + shown(table.label) : std::string()) << '\n';
  } else {
    std::cout << "targets   " << plural(table.target_columns.size(), "column");
    for (const std::int64_t column : table.target_columns) std::cout << ' ' << column;
    std::cout << '\n';
  }
  if (!is_named) return;
  std::cout << "features  ";
  for (std::size_t i = 0; i < std::min(kMost, table.columns.size()); ++i) {
    std::cout << (i == 0 ? "" : ", ") << shown(table.columns[i]);
  }
  std::cout << (table.columns.size() > kMost ? ", ...\n" : "\n");
}

void inspect_model(const InspectOptions& o, const std::stop_token& stop) {
  const Watch watch{{}, stop};
  const Shape input = o.input.empty() ? Shape{} : parse_sample_shape(o.input, "inspect: --input");
  const nn::Model model = describe_model("inspect", o.path, input, o.outputs);
  watch.at(0);
  if (o.dot) {
    std::cout << nn::to_dot(model);
    return;
  }
  std::cout << nn::summary_table(model);

  const auto engine = engine_for({});
  nn::CompileOptions compile{.batch = o.batch};
  compile.optimizer.kind = o.optimizer.kind;
  const auto training = engine->compile(model, compile)->memory();
  watch.at(0);
  const auto evaluation = engine->compile(model, {.batch = o.batch, .training = false})->memory();
  watch.at(0);
  Table table;
  table.add({"memory at batch " + std::to_string(o.batch), "training", "evaluation"});
  for (std::size_t i = 0; i < training.size(); ++i) {
    table.add(
        {"  " + training[i].name, to_string(training[i].bytes), to_string(evaluation.at(i).bytes)});
  }
  table.add({"  total", to_string(nn::total(training)), to_string(nn::total(evaluation))});
  std::cout << '\n'
            << table << "  on " << engine->description() << ", " << nn::to_string(o.optimizer.kind)
            << '\n';
  print_preprocessing(model);
  print_classes(model);
  if (model.table.label_column > 0 || !model.table.target_columns.empty())
    print_columns(model.table);
}

}  // namespace millrace::apps
