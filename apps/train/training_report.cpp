#include "apps/train/training_report.h"

#include "apps/common/left_out_report.h"
#include "apps/common/machine.h"
#include "apps/train/training_losses.h"

#include <millrace/core/json_text.h>
#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/core/shell_text.h>
#include <millrace/core/shown_text.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/training/feature_choice.h>
#include <millrace/training/find_model.h>
#include <millrace/training/loss_choice.h>
#include <millrace/training/run_memory.h>
#include <millrace/training/run_pruning.h>
#include <millrace/training/run_schedule.h>
#include <millrace/training/transfer.h>

#include <iostream>
#include <optional>

namespace millrace::apps {
namespace {

/// A model file as --model is a description: that its weights are not taken is to be seen.
std::string describe_new_weights(const Training& t) {
  const std::string& model = t.spec.model.name;
  const bool is_new = t.pretrained == nullptr && t.resumed == nullptr;
  if (!is_new || !is_model_description(model) || is_json_file(model)) return "";
  return concat("weights     new and random, not those of ", shown(model), "; --weights ",
                shown(model), " begins with them\n");
}

/// Also those that nobody asked for by --metrics, because --monitor watches them.
std::string describe_measures(const CallbackSpec& o) {
  std::string text;
  for (const std::string& name : o.metrics) {
    const bool is_watched = o.monitor == "val_" + name;
    text += concat(text.empty() ? "metrics     " : ", ", shown(name),
                   is_watched ? " (watched by --monitor)" : "");
  }
  return text.empty() ? text : text + '\n';
}

}  // namespace

void print_choices(const Training& t) {
  const TrainSpec& o = t.spec;
  const auto count = [&] {
    std::int64_t sum = 0;
    for (const nn::LayerSummary& layer : nn::summarize(t.model)) sum += layer.parameters;
    return static_cast<std::uint64_t>(sum);
  }();
  std::cout << "data        " << shown(o.data.path) << ": " << t.data.description << '\n'
            << "validation  " << shown(t.data.validation_description) << '\n'
            << "model       " << shown(o.model.name) << ", input " << t.model.input << ", "
            << with_commas(count) << " parameters\n"
            << "input       " << nn::describe(t.model.preprocessing) << '\n'
            << describe_transfer(t.pretrained.get(), t.model) << describe_new_weights(t)
            << describe_features(t) << "training    " << o.epochs << ' '
            << plural(o.epochs, "epoch") << ", batch " << o.batch
            << (o.accumulate > 1 ? concat(" x ", o.accumulate) : "") << ", "
            << nn::to_string(o.optimizer.kind) << ", learning rate "
            << nn::learning_rate(o.optimizer) << describe_schedule(o)
            << (o.ema ? concat(", average of the weights by ", *o.ema) : "") << ", seed " << o.seed
            << '\n'
            << "loss        " << nn::loss_info(meant_loss(o.loss, t.model)).option << '\n'
            << describe_measures(o.callbacks)
            << (t.pruner != nullptr ? "pruning     " + describe(*t.pruner) + '\n' : "")
            << "device      " << t.engine->description() << '\n'
            << (t.engine->shares_host_memory() ? ""
                                               : "gpu memory  " + describe_device_memory(t) + '\n')
            << "threads     " << o.machine.threads << " for reading and decoding, "
            << o.machine.compute_threads << " for the model\n"
            << "memory      at most " << o.machine.memory_budget.value() << " of the machine's "
            << memory_limit() << '\n'
            << "run         " << shown(o.run.directory.native()) << '\n';
}

void warn_of_pruning(const Training& t) {
  const TrainSpec& o = t.spec;
  const std::uint64_t steps = t.last_feed().updates();
  const std::string line = unfinished_pruning(o.pruning, o.augmentation.keras_compat, steps);
  if (!line.empty()) std::cerr << "millrace: warning: " << line << '\n';
}

void print_directory(TrainingSession& session, Show show) {
  RunDirectory& directory = *session.directory();
  if (!directory.is_locked()) {
    print_note(concat(shown(directory.path().native()),
                      ": its file system has no locks, so nothing prevents another process from "
                      "writing this run too"),
               show);
  }
  const bool has_sheet =
      session.spec().images.show_augmented > 0 && session.training().resumed == nullptr;
  if (!has_sheet || show == Show::nothing) return;
  std::cout << "augmented   " << shown(directory.augmented_file().native()) << '\n' << std::flush;
}

std::vector<std::pair<std::string, std::string>> told(Report& report, const Training& t,
                                                      GpuRecording* recording,
                                                      const std::filesystem::path& trace) {
  std::vector<std::pair<std::string, std::string>> more = left_out_of(t);
  if (const std::string fed = t.feed->remark(); !fed.empty()) report.remarks.push_back(fed);
  if (const double steps_s = t.state->device_s; steps_s > 0) {
    report.remarks.push_back(concat("steps took ", duration_text(steps_s),
                                    " by the GPU's own clock, of ", duration_text(report.wall_s)));
    more.emplace_back("steps_device_s", json_number(steps_s));
  }
  if (recording != nullptr) more.emplace_back("gpu", recording->finish(report, trace));
  return more;
}

void print_outcome(const Report& report, const Training& t, const RunDirectory& directory,
                   Show show) {
  if (t.feed->to_load().empty()) print_left_out(report);  // else it was told when it was loaded
  warn_of_lost(t);
  const std::string run = shown(directory.path().native());
  if (report.stopped) {
    const bool has_model = std::filesystem::exists(directory.model_file());
    std::cerr << "millrace: stopped by a signal after step " << t.state->step << "; "
              << (has_model ? "the model of the last whole epoch is in "
                            : "no epoch was whole, so no model was written to ")
              << run;
    if (t.spec.run.checkpoints) {
      std::cerr << "; resume with: millrace train --resume "
                << shell_quoted(directory.path().native());
    }
    std::cerr << '\n';
  } else if (show != Show::nothing) {
    if (t.state->is_finished()) std::cout << t.state->reason() << '\n';
    std::cout << "the model is " << shown(directory.model_file().native())
              << "; the stage that set the pace was '" << report.bottleneck() << "'\n";
  }
}

void report_pruning(Told told, const Training& t, const RunDirectory& directory,
                    const ModelSize& dense, Show show) {
  const ModelSize pruned = model_size(directory.model_file());
  const PruneSummary summary = as_saved(t.pruner->summary(), directory.model_file());
  told.more.emplace_back("pruning", to_json(dense, pruned, summary));
  directory.write_report(told.report, told.more);
  if (show == Show::nothing) return;
  print_pruned(std::cout, summary);
  std::cout << "size        " << size_line(dense, pruned) << '\n';
  const std::optional<std::uint64_t> end = t.pruner->options().schedule.end_step;
  if (end && *end > t.state->step) {
    std::cout << "note: training ended at step " << t.state->step
              << ", before the last mask at step " << *end << '\n';
  }
}

}  // namespace millrace::apps
