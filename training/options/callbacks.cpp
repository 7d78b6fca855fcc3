#include <millrace/training/options/options.h>

namespace millrace {

void list_callbacks(OptionList& options, TrainSpec& spec) {
  CallbackSpec& o = spec.callbacks;
  const auto stops = [&o] { return o.patience.has_value(); };
  const auto reduces = [&o] { return o.plateau_patience.has_value(); };
  constexpr const char* kStops = "--patience N";
  constexpr const char* kReduces = "--plateau-patience N";
  options.topic("callbacks", "Callbacks");
  options(
      "metrics", o.metrics, "LIST",
      "also measure in validation: precision, recall, f1 (means over classes), auc, top5 (any "
      "number); of targets mse, mae, r2, or of labels binary_accuracy, auc, each for one target "
      "too, as in 'r2 price'")
      .by_default("of targets mae and r2, of labels binary_accuracy");
  options("monitor", o.monitor, "NAME",
          "what early stopping, the plateau and the best model watch: loss, accuracy, val_loss, "
          "val_accuracy, val_auc, ...")
      .by_default("val_loss, or loss without validation");
  options("monitor-mode", o.monitor_mode, "auto|min|max", "which way is better; auto: by the name");
  options("patience", o.patience, "N", "early stopping: end after N epochs without improvement");
  options("min-delta", o.min_delta, "X", "a change by more than this is an improvement")
      .needs(kStops, stops);
  options("baseline", o.baseline, "X", "patience also runs out while this value is not beaten")
      .needs(kStops, stops);
  options("start-from-epoch", o.start_from_epoch, "N", "do not watch the first N epochs")
      .needs(kStops, stops);
  options("restore-best", o.restore_best, "",
          "end with the weights of the best epoch, not of the last")
      .needs(kStops, stops);
  options("plateau-patience", o.plateau_patience, "N",
          "lower the learning rate after N epochs without improvement");
  options("plateau-factor", o.plateau_factor, "X", "factor of that reduction", between(0, 1))
      .needs(kReduces, reduces);
  options("plateau-min-delta", o.plateau_min_delta, "X",
          "a change by more than this is an improvement")
      .needs(kReduces, reduces);
  options("plateau-cooldown", o.plateau_cooldown, "N", "epochs after a reduction that do not count")
      .needs(kReduces, reduces);
  options("min-learning-rate", o.min_learning_rate, "X", "never reduce the rate below this",
          at_least(0))
      .needs(kReduces, reduces);
  options("stop-on-nan", o.stop_on_nan, "", "continue when the loss is not a number");
}

void list_run(OptionList& options, RunSpec& o) {
  const auto checkpoints = [&o] { return o.checkpoints; };
  options.topic("checkpoints", "Checkpoints");
  options("checkpoint-every", o.checkpoint_every, "N",
          "write a checkpoint every N steps, besides those at the end of epochs; 0: off")
      .needs("checkpoints, which --no-checkpoints switches off", checkpoints);
  options("keep-checkpoints", o.keep_checkpoints, "N",
          "how many of the last checkpoints to keep, not counting the best one; 0: all")
      .needs("checkpoints, which --no-checkpoints switches off", checkpoints);
  options("checkpoints", o.checkpoints, "", "write no checkpoints; the run cannot be resumed");
  options("csv-log", o.csv_log, "FILE",
          "write the epochs into this file too, as Keras's CSVLogger does");
  options.topic("tensorboard", "TensorBoard (tensorboard --logdir RUN/events)");
  options("events", o.events, "", "write no event files");
  options("tensorboard-update", o.tensorboard_update, "N",
          "write loss and accuracy every N steps too; 0: only at the end of epochs")
      .needs("events, which --no-events switches off", [&o] { return o.events; });
}

}  // namespace millrace
