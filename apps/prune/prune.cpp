// millrace prune: makes the smallest weights of a trained model zero, at once and without training.

#include "apps/commands.h"
#include "apps/common/command_line.h"
#include "apps/common/pruning_report.h"

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>
#include <millrace/io/watch.h>
#include <millrace/nn/pruning.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/training/find_model.h>
#include <millrace/training/option_text.h>
#include <millrace/training/run_pruning.h>
#include <millrace/training/saved_model.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <span>
#include <utility>
#include <vector>

namespace millrace::apps {
namespace {

struct Options {
  std::string model, out;
  std::vector<std::string> include, exclude;
  double sparsity = 0.5;
  bool overwrite = false, json = false, quiet = false;
};

void check(const Options& o) {
  if (o.model.empty() || o.out.empty()) throw UsageError("prune: needs MODEL and OUT");
  if (!o.overwrite && std::filesystem::exists(o.out)) {
    throw Error(concat(o.out, ": exists already; choose another name, or --overwrite it"));
  }
}

PrunedTensor prune_tensor(const nn::Parameter& parameter, const Options& o,
                          std::span<float> weights) {
  try {
    nn::check_prunable(parameter.name, weights);
  } catch (const Error& error) {
    throw Error(concat(o.model, ": ", error.what()));
  }
  std::vector<float> mask(weights.size());
  PrunedTensor tensor{.name = parameter.name, .elements = parameter.shape.elements()};
  tensor.threshold =
      nn::prune_smallest(weights, nn::pruned_weights(weights.size(), o.sparsity), mask);
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) weights[i] = 0;
  }
  return tensor;
}

/// What zeros there are is counted in the file.
PruneSummary prune_model(SavedModel& saved, const Options& o) {
  // Frozen layers are frozen for training; here all kernels are meant.
  nn::Model model = saved.model;
  for (nn::Layer& layer : model.layers) layer.trainable = true;
  std::vector<std::string> names;
  for (const nn::Parameter& p : nn::pruned_parameters(model, o.include, o.exclude)) {
    names.push_back(p.name);
  }
  PruneSummary summary;
  for (const nn::Parameter& p : nn::parameters(saved.model)) {
    if (std::find(names.begin(), names.end(), p.name) == names.end()) continue;
    const auto weights = std::span(saved.parameters)
                             .subspan(static_cast<std::size_t>(p.offset),
                                      static_cast<std::size_t>(p.shape.elements()));
    summary.tensors.push_back(prune_tensor(p, o, weights));
  }
  return summary;
}

/// Throws Stopped, before it writes.
void write_pruned(const Options& o, const Watch& watch) {
  SavedModel saved = load_trained_model("prune", o.model);
  const ModelSize dense = model_size(model_file(o.model));
  watch.at(0);
  PruneSummary summary = prune_model(saved, o);
  watch.at(0);
  save_model(o.out, saved.model, saved.parameters);
  summary = as_saved(std::move(summary), o.out);
  const ModelSize pruned = model_size(std::filesystem::path(o.out));
  if (o.json) {
    std::cout << to_json(dense, pruned, summary) << '\n';
  } else if (!o.quiet) {
    print_pruned(std::cout, summary);
    std::cout << "size  " << size_line(dense, pruned) << '\n';
  }
}

}  // namespace

int prune(const Arguments& arguments) {
  Options o;
  CommandLine line("prune", "prune MODEL OUT [OPTIONS]",
                   "Writes MODEL (a run directory or a .safetensors file) to the file OUT with the "
                   "smallest weights of each kernel set to zero. Without training afterwards this "
                   "costs accuracy: "
                   "'millrace train --prune' does better.");
  line.positional("model", o.model);
  line.positional("out", o.out);
  line.topic("options", "Options");
  line("sparsity", o.sparsity, "X",
       "share of the weights of each kernel that are zero afterwards, including those that are "
       "zero already",
       from_up_to(0, 1));
  line("include", o.include, "PATTERN[,...]", "only kernels of these names: conv1, dense*");
  line("exclude", o.exclude, "PATTERN[,...]", "not kernels of these names");
  line("overwrite", o.overwrite, "", "replace OUT if it exists");
  line("json", o.json, "", "print sparsities and sizes as JSON");
  line("quiet", o.quiet, "", "print errors only");
  if (!line.parse(arguments)) return 0;
  check(o);

  Interrupt interrupt;
  try {
    write_pruned(o, {{}, interrupt.token()});
    return 0;
  } catch (const Stopped&) {
    std::cerr << "millrace: stopped by a signal before " << shown(o.out) << " was written\n";
    return interrupt.exit_status();
  }
}

}  // namespace millrace::apps
