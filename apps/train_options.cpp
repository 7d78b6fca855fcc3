#include "apps/train_options.h"

#include "apps/find_model.h"
#include "apps/loss_options.h"
#include "apps/optimizer_options.h"

#include <millrace/core/error.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/run_directory.h>

#include <cmath>

namespace millrace::apps {

void declare(CommandLine& line, TrainOptions& o) {
  line.positional("data", o.data);
  line.topic("data", "Data");
  line("validation", o.validation, "DIR",
       "validate on this data set; default: DATA's val/ or test/, else a share of DATA");
  line("validation-share", o.validation_share, "X",
       "share of DATA kept for validation, drawn by seed, class by class; default 0.2, 0 for none");
  line("part", o.part, "NAME",
       "the part to validate on, of DATA or of the other data set: val or test, and of another one "
       "also train; default: val/ where there is one, else test/");
  line("size", o.size, "N|HxW",
       "height and width of the model's input; default: that of the images where all agree, else "
       "150");
  line("channels", o.channels, "1|3", "1 grey, 3 RGB; default: as the images are");
  line("filter", o.filter, "NAME",
       "resizing: nearest, box, bilinear (default), hamming, bicubic, lanczos");
  line("scale", o.scale, "X", "pixels are multiplied by this first; default 1/255");
  line("mean", o.mean, "X[,X,X]", "then this is subtracted, by channel");
  line("deviation", o.deviation, "X[,X,X]", "then divided by this, by channel");
  line("on-bad-image", o.on_bad_image, "fail|skip",
       "an image that cannot be read ends the run (default) or is left out");
  line("bad-image-limit", o.bad_image_limit, "N",
       "with skip: fail after so many; default 0: no limit");
  declare_max_image_pixels(line, o.max_image_pixels);
  line("limit-batches", o.limit_batches, "N",
       "at most so many batches of training and validation an epoch; 0: all");
  line("replay", o.replay, "N",
       "to measure what comes after the input: load the first N batches once, then feed them over "
       "and over, without validation; default 0: read all");
  line("resident", o.resident, "",
       "decode all samples once, before the first epoch, and keep them in the GPU's memory");
  declare(line, o.preprocessing);
  declare(line, o.labels);
  declare(line, o.table, false);
  line.topic("model", "Model");
  line("model", o.model, "SPEC",
       "mlp:500,100  cnn  cnn:16,32:64  vgg16, a JSON or model file (what it describes, with new "
       "weights), or a run directory (with its weights); default: by the size of the input");
  line("initializer", o.initializer, "NAME",
       "glorot_uniform (default), glorot_normal, he_uniform, he_normal, lecun_uniform, "
       "lecun_normal, torch");
  declare(line, o.transfer);
  line.topic("training", "Training");
  line("epochs", o.epochs, "N", "default 10");
  line("batch", o.batch, "N", "samples of a batch, which a step learns from; default 32");
  line("accumulate", o.accumulate, "N",
       "batches that a step learns from together, as from one N times as large; default 1");
  line("steps-per-epoch", o.steps_per_epoch, "N",
       "so many full batches an epoch from an endless shuffled stream; default 0: one pass");
  line("loss", o.loss, "NAME", loss_help().c_str());
  line("optimizer", o.optimizer, "NAME", optimizer_help().c_str());
  line("learning-rate", o.learning_rate, "X", learning_rate_help().c_str());
  line("momentum", o.momentum, "X", momentum_help().c_str());
  line("nesterov", o.nesterov, "", "Nesterov's momentum");
  line("beta1", o.beta1, "X", usual_help(&nn::OptimizerInfo::beta1).c_str());
  line("beta2", o.beta2, "X", usual_help(&nn::OptimizerInfo::beta2).c_str());
  line("epsilon", o.epsilon, "X", usual_help(&nn::OptimizerInfo::epsilon).c_str());
  line("weight-decay", o.weight_decay, "X",
       "added to the gradient; adamw, lion: decoupled; default 0");
  line("ema", o.ema, "MOMENTUM",
       "keep an exponential moving average of the weights, MOMENTUM x average + (1 - MOMENTUM) x "
       "weights after each step: it is validated and saved; 0.999 is typical; default: none");
  line("seed", o.seed, "N", "of the split, the weights, the order and the augmentation; default 1");
  line("no-shuffle", o.no_shuffle, "", "train in the order of the data set");
  declare(line, o.schedule);
  declare(line, o.augmentation);
  declare(line, o.callbacks);
  declare(line, o.events);
  declare(line, o.pruning);
  line.topic("machine", "Machine");
  line("device", o.device, "auto|cpu|gpu", "where to compute; default auto: a GPU if there is one");
  line("precision", o.precision, "NAME", kPrecisionHelp);
  line("loss-scale", o.loss_scale, "NAME|X",
       "of fp16: keras (default: begins with 32768), torch (65536), or the scale to begin with");
  line("threads", o.threads, "N", "of reading and decoding; default: the cores one may use");
  line("compute-threads", o.compute_threads, "N",
       "of the model; default: the cores one may use, or half of them where steps are small");
  line("memory-budget", o.memory_budget, "SIZE",
       "most memory of batches, model and index, e.g. 2GiB; default: half of the machine's");
  line("slots", o.slots, "N", "batches under way; default 3");
  line("stall-timeout", o.stall_timeout, "SECONDS",
       "say so when nothing has moved for so long, with the stage and its file; default 60, 0: "
       "never");
  line("report-every", o.report_every, "N",
       "ask for loss and accuracy after so many steps; a GPU is waited for each time; default: 50 "
       "on a GPU (200 of resident data), else 1");
  line.topic("output", "Output");
  line("run-dir", o.run_dir, "DIR", "where the run is written; default runs/DATE-TIME");
  line("overwrite", o.overwrite, "", "replace a run that is there");
  line("print-plan", o.print_plan, "", "print stages and memory, and do not train");
  line("no-profile", o.no_profile, "",
       "do not record what a GPU does for report and trace; recording costs a little");
  line("quiet", o.quiet, "", "print errors only");
}

void check(TrainOptions& o) {
  const auto require = [](bool holds, const char* option, const char* range, const auto& value) {
    if (!holds) throw UsageError(concat("train: --", option, " must be ", range, ", not ", value));
  };
  require(o.validation_share >= 0 && o.validation_share < 1, "validation-share", "in [0, 1)",
          o.validation_share);
  require(!o.channels || *o.channels == 1 || *o.channels == 3, "channels", "1 or 3",
          o.channels.value_or(0));
  require(o.on_bad_image == "fail" || o.on_bad_image == "skip", "on-bad-image", "fail or skip",
          o.on_bad_image);
  if (o.replay > 0 && !o.validation.empty()) {
    throw UsageError(
        "train: --replay reads nothing after its first batches, so --validation cannot go with "
        "it; leave one of them out");
  }
  check_max_image_pixels("train", o.max_image_pixels);
  require(o.epochs >= 1, "epochs", "1 or more", o.epochs);
  require(o.batch >= 1 && o.batch <= 1'000'000, "batch", "in 1 to 1000000", o.batch);
  require(std::isfinite(o.scale.value_or(1)), "scale", "a finite number", o.scale.value_or(1));
  require(o.accumulate >= 1 && o.accumulate <= 1'000'000, "accumulate", "in 1 to 1000000",
          o.accumulate);
  check_loss_name("train", o.loss);
  check_momentum("train", o.optimizer, o.momentum, o.nesterov);
  require(!o.learning_rate || (*o.learning_rate > 0 && std::isfinite(*o.learning_rate)),
          "learning-rate", "above 0", o.learning_rate.value_or(0));
  require(o.momentum >= 0 && o.momentum < 1, "momentum", "in [0, 1)", o.momentum);
  const double beta1 = o.beta1.value_or(0), beta2 = o.beta2.value_or(0);
  require(beta1 >= 0 && beta1 < 1, "beta1", "in [0, 1)", beta1);
  require(beta2 >= 0 && beta2 < 1, "beta2", "in [0, 1)", beta2);
  require(o.epsilon >= 0, "epsilon", "0 or more", o.epsilon);
  require(o.weight_decay >= 0, "weight-decay", "0 or more", o.weight_decay);
  require(!o.ema || (*o.ema > 0 && *o.ema < 1), "ema", "above 0 and below 1", o.ema.value_or(0));
  (void)augment_options(o.augmentation);
  check("train", o.engine());
  require(o.threads >= 0, "threads", "0 or more", o.threads);
  require(o.slots >= 1, "slots", "1 or more", o.slots);
  require(o.stall_timeout >= 0 && std::isfinite(o.stall_timeout), "stall-timeout", "0 or more",
          o.stall_timeout);
  require(o.report_every >= 0, "report-every", "0 or more", o.report_every);
  check(o.callbacks);
  check(o.events);
  check(o.schedule);
  check(o.preprocessing, o.scale, o.mean, o.deviation);
  check(o.labels);
  if (o.labels.class_mode == "input" && !o.callbacks.metrics.empty()) {
    throw UsageError(
        "train: --metrics are of classes, and --class-mode input has none; leave "
        "them out");
  }
  check("train", o.table);
  if (const char* fitted = fitted_option(o.preprocessing);
      fitted != nullptr && o.labels.class_mode == "input") {
    throw UsageError(
        concat("train: --class-mode input compares outputs with pixels in 0..1, and --", fitted,
               " leaves that range; leave it out"));
  }
  TransferOptions transfer = o.transfer;
  if (transfer.weights.empty() && names_run(o.model)) transfer.weights = o.model;  // choose.h
  check(transfer);
  check(o.pruning);
}

EngineChoice TrainOptions::engine() const {
  EngineChoice choice{device, compute_threads, precision, loss_scale, true, memory_budget};
  if (!callbacks.resume.empty()) choice.choices = choices_file(callbacks.resume);
  return choice;
}

}  // namespace millrace::apps
