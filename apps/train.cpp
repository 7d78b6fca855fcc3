// millrace train: composes the training pipeline in plain sight and runs it.

#include "apps/choose.h"
#include "apps/commands.h"
#include "apps/data.h"
#include "apps/machine.h"
#include "apps/progress.h"
#include "apps/run_directory.h"
#include "apps/train_options.h"

#include <millrace/nn/initialize.h>
#include <millrace/nodes/augment.h>
#include <millrace/nodes/batcher.h>
#include <millrace/nodes/cast.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/decode_into.h>
#include <millrace/nodes/logger.h>
#include <millrace/nodes/saved_model.h>
#include <millrace/nodes/train_step.h>
#include <millrace/pipeline/interrupt.h>
#include <millrace/pipeline/pipeline.h>

#include <iostream>
#include <memory>
#include <optional>

namespace millrace::apps {
namespace {

/// All that a training run is made of.
struct Training {
  TrainOptions options;
  TrainingData data;
  nn::Model model;
  std::shared_ptr<const nn::Engine> engine;
  std::shared_ptr<nn::Executor> executor;
};

DirectoryReader make_reader(const Training& t) {
  return DirectoryReader(t.data.training, t.data.validation,
                         {.batch = t.options.batch,
                          .epochs = t.options.epochs,
                          .steps_per_epoch = t.options.steps_per_epoch,
                          .limit_batches = t.options.limit_batches,
                          .seed = t.options.seed,
                          .shuffle = !t.options.no_shuffle,
                          .ticket_samples = ticket_samples(t.model.input)});
}

OnError bad_image_policy(const TrainOptions& o) {
  if (o.on_bad_image == "fail") return fail();
  return o.bad_image_limit == 0 ? skip() : skip(o.bad_image_limit);
}

/// The training pipeline: list - decode - augment - batch - copy - cast - train - log.
Pipeline compose(const Training& t, const std::filesystem::path& trace, Logger::Watchers watchers) {
  const TrainOptions& o = t.options;
  const Dataset& training = *t.data.training.dataset;
  const DType dtype = training.dtype();
  const std::shared_ptr<const nn::Engine> engine = t.engine;
  DirectoryReader reader = make_reader(t);

  Pipeline p({.name = "train",
              .budget = parse_bytes(o.memory_budget),
              .threads = o.threads,
              .trace = trace});
  p.charge("index", 1, training.index_bytes());
  if (t.data.validation.size() > 0 && t.data.validation.dataset != t.data.training.dataset) {
    p.charge("validation index", 1, t.data.validation.dataset->index_bytes());
  }
  p.charge("order of samples", 1, reader.bytes());
  for (const nn::MemoryLine& line : t.executor->memory())
    p.charge("model: " + line.name, 1, line.bytes);

  auto host = p.pool<HostBatch>(
      "host batches", o.slots,
      HostBatchFactory{t.model.input, dtype, o.batch,
                       [engine](Bytes size) { return engine->host_buffer(size); }});
  auto device = p.pool<DeviceBatch>("device batches", 2,
                                    DeviceBatchFactory{engine, t.model.input, dtype, o.batch});
  const auto elements = static_cast<std::size_t>(nn::arena_elements(nn::parameters(t.model)));
  auto snapshots =
      p.pool<Snapshot>("snapshot", 1, sized(Bytes{elements * sizeof(float)}, [elements] {
                         return Snapshot{std::vector<float>(elements)};
                       }));
  const double learning_rate = *o.learning_rate;

  auto tickets = p.source({.name = "list"}, host, std::move(reader));
  auto pixels = p.then(
      tickets, {.name = "decode", .concurrency = kAllThreads, .on_error = bad_image_policy(o)},
      DecodeInto(t.data.training.dataset, t.data.validation.dataset,
                 filter_from_name(t.model.preprocessing.filter)));
  auto augmented =
      p.then(pixels, {.name = "augment", .concurrency = kAllThreads},
             Augment({.horizontal_flip = o.flip, .crop_padding = o.crop_padding}, o.seed));
  auto batches = p.then(p.gather(augmented), {.name = "batch"}, Batcher{});
  auto on_device = p.then(p.with(batches, {.name = "device slot"}, device), {.name = "copy"},
                          CopyToDevice(engine));
  auto inputs = p.then(on_device, {.name = "cast"}, Cast(t.model.preprocessing, t.model.input));
  auto steps = p.then(inputs, {.name = "train", .on = On::engine},
                      TrainStep(t.executor, [learning_rate](std::uint64_t) {
                        return learning_rate;
                      }).snapshots(snapshots));
  p.sink(steps, {.name = "log", .on = On::blocking}, Logger(std::move(watchers)));
  return p;
}

Training prepare(TrainOptions options, Show show, std::stop_token stop) {
  if (options.data.empty()) {
    throw UsageError(
        "train: no DATA; give a folder that holds one folder of pictures for each class");
  }
  Training t;
  t.data =
      open_training_data({options.data, options.validation, options.validation_share, options.seed},
                         show, std::move(stop));
  const Dataset& training = *t.data.training.dataset;
  choose(options, training);
  t.model = make_model(options, training);
  t.engine = engine_for(options.device, options.compute_threads);
  t.options = std::move(options);
  const DirectoryReader reader = make_reader(t);
  t.executor = t.engine->compile(t.model, {.batch = t.options.batch,
                                           .other_batches = reader.short_batches(),
                                           .optimizer = optimizer_options(t.options),
                                           .seed = t.options.seed});
  return t;
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

void allocate(const Training& t) {
  t.executor->allocate();
  std::vector<float> weights(static_cast<std::size_t>(nn::arena_elements(nn::parameters(t.model))));
  nn::initialize(t.model, t.options.seed, weights);
  t.executor->write(nn::Arena::parameters, weights);
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
      std::cout << compose(t, run_dir / "trace.json", {}).plan();
      return 0;
    }
    if (show != Show::nothing) print_choices(t);

    TrainingProgress progress(show, t.options.epochs, t.options.batch);
    std::optional<RunDirectory> run;
    Pipeline p = compose(t, run_dir / "trace.json",
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
