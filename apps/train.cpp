// millrace train: runs the training pipeline (training_pipeline.h) and writes a run directory.

#include "apps/commands.h"
#include "apps/progress.h"
#include "apps/run_directory.h"
#include "apps/training_pipeline.h"

#include <millrace/pipeline/interrupt.h>

#include <filesystem>
#include <iostream>
#include <optional>

namespace millrace::apps {
namespace {

Training prepare(TrainOptions options, Show show, std::stop_token stop) {
  if (options.data.empty()) {
    throw UsageError(
        "train: no DATA; give a folder that holds one folder of pictures for each class");
  }
  TrainingData data =
      open_training_data({options.data, options.validation, options.validation_share, options.seed},
                         show, std::move(stop));
  return prepare_training(std::move(options), std::move(data));
}

void print_choices(const Training& t) {
  const TrainOptions& o = t.options;
  const auto count = [&] {
    std::int64_t sum = 0;
    for (const nn::LayerSummary& layer : nn::summarize(t.model)) sum += layer.parameters;
    return static_cast<std::uint64_t>(sum);
  }();
  std::cout << "data        " << o.data << ": " << t.data.description << '\n'
            << "validation  " << t.data.validation_description << '\n'
            << "model       " << o.model << ", input " << t.model.input << ", "
            << with_commas(count) << " parameters\n"
            << "training    " << o.epochs << " epochs, batch " << o.batch << ", " << o.optimizer
            << ", learning rate " << *o.learning_rate << ", seed " << o.seed << '\n'
            << "device      " << t.engine->description() << '\n'
            << "threads     " << o.threads << " for reading and decoding\n"
            << "memory      at most " << o.memory_budget << '\n'
            << "run         " << o.run_dir << '\n';
}

}  // namespace

int train(const Arguments& arguments) {
  TrainOptions options;
  CommandLine line(
      "train", "train DATA [OPTIONS]",
      "Trains a model to tell classes apart. DATA is a folder with one folder of pictures for "
      "each\n"
      "class, or holds train/ and val/ or test/ of such; or it is an IDX data set or a CSV file "
      "of\n"
      "numbers with the class in the last column. What is not said is chosen and printed.");
  declare(line, options);
  line.accept_recipe();
  if (!line.parse(arguments)) return 0;
  check(options);

  Interrupt interrupt;
  const Show show = how_to_show(options.quiet);
  try {
    const Training t = prepare(options, show, interrupt.token());
    const std::filesystem::path run_dir = t.options.run_dir;
    if (t.options.print_plan) {
      std::cout << compose_training(t, run_dir / "trace.json", {}).plan();
      return 0;
    }
    if (show != Show::nothing) print_choices(t);

    TrainingProgress progress(show, t.options.epochs, t.options.batch);
    std::optional<RunDirectory> run;
    Pipeline p = compose_training(t, run_dir / "trace.json",
                                  {.on_step = [&](const StepRecord& r) { progress.step(r); },
                                   .on_epoch =
                                       [&](const EpochRecord& r) {
                                         run->write_epoch(r, t.model);
                                         progress.epoch(r);
                                       }});
    p.check();
    run.emplace(run_dir, t.options.overwrite);
    TrainOptions resolved = t.options;
    resolved.data = std::filesystem::absolute(resolved.data).string();
    CommandLine as_recipe("train", "", "");
    declare(as_recipe, resolved);
    run->write_config(as_recipe.recipe({"run-dir", "overwrite", "print-plan", "quiet"}));
    allocate(t);

    const auto end = [&] {
      progress.finish();
      run->write_report(p.last_report());
    };
    try {
      p.run(interrupt.token());
    } catch (const StageError& error) {
      end();
      const bool could_skip = error.stage() == "decode" && t.options.on_bad_image == "fail";
      throw Error(concat(error.what(),
                         could_skip ? " (or leave such files out: --on-bad-image skip)" : ""));
    } catch (...) {
      end();
      throw;
    }
    end();
    const Report& report = p.last_report();
    for (const std::string& reason : report.skipped) std::cerr << "left out: " << reason << '\n';
    if (report.stopped) {
      std::cerr << "millrace: stopped by a signal; "
                << (std::filesystem::exists(run->model_file())
                        ? "the model of the last whole epoch is in "
                        : "no epoch was whole, so no model was written to ")
                << run_dir.string() << '\n';
      return interrupt.exit_status();
    }
    if (show != Show::nothing) {
      std::cout << "the model is " << run->model_file().string()
                << "; the stage that set the pace was '" << report.bottleneck() << "'\n";
    }
    return 0;
  } catch (const Stopped&) {
    return interrupt.exit_status();
  }
}

}  // namespace millrace::apps
