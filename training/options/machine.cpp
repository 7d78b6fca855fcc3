#include <millrace/training/options/options.h>

namespace millrace {

void list_precision(OptionList& options, MachineSpec& o) {
  options("precision", o.precision, "NAME",
          "precision on a GPU: fp32, tf32, fp16, bf16; sums, weights and updates stay fp32")
      .by_default("fp32");
}

void list_memory_budget(OptionList& options, MachineSpec& o) {
  options("memory-budget", o.memory_budget, "SIZE",
          "upper bound for the memory of batches, model and index, e.g. 2GiB",
          {[](std::string_view text) -> std::optional<Bytes> {
            const auto budget = OptionText<std::optional<Bytes>>::read(text);
            if (budget && budget->count == 0) throw BadOptionText("above 0");
            return budget;
          }})
      .by_default("half of the machine's");
}

void list_machine(OptionList& options, MachineSpec& o, bool with_device) {
  options.topic("machine", "Machine");
  if (with_device) {
    options("device", o.device, "auto|cpu|gpu", "where to compute; auto: on a GPU if there is one");
  }
  list_precision(options, o);
  options("threads", o.threads, "N", "threads for reading and decoding", at_least(0))
      .by_default("the cores available to the process");
  options("compute-threads", o.compute_threads, "N", "threads for the model", at_least(0))
      .by_default("the cores available to the process");
  list_memory_budget(options, o);
}

namespace {

/// What training has besides.
void list_training_machine(OptionList& options, MachineSpec& o) {
  list_machine(options, o);
  options.find("precision").option->keeps();
  options.find("compute-threads")
      .option->by_default("the cores available to the process, or half of them if steps are small");
  options("loss-scale", o.loss_scale, "NAME|X",
          "loss scale of fp16: keras (starts at 32768), torch (65536), or the first scale")
      .by_default("keras")
      .needs("--precision fp16", [&o] { return o.precision == nn::Precision::fp16; });
  options("slots", o.slots, "N", "batches in flight", at_least(1));
  options("stall-timeout", o.stall_timeout, "SECONDS",
          "report a pipeline in which nothing moves for this long, with stage and file; 0: never",
          at_least(0));
  options("report-every", o.report_every, "N",
          "ask for loss and accuracy every N steps; each time the run waits for the GPU",
          at_least(0))
      .by_default("50 on a GPU, 200 there with resident data, else 1");
  options("profile", o.profile, "",
          "do not record the GPU's work for report and trace; recording costs a little");
}

}  // namespace

void list(OptionList& options, TrainSpec& spec) {
  list_data(options, spec);
  list_model(options, spec.model);
  list_training(options, spec);
  list_schedule(options, spec);
  list_augmentation(options, spec.augmentation);
  for (const char* name : {"fill-mode", "interpolation-order"}) {
    options.find(name).option->needs("a rotation, shift, shear or zoom",
                                     [&spec] { return spec.augmentation.is_affine(); });
  }
  list_callbacks(options, spec);
  list_run(options, spec.run);
  list_pruning(options, spec.pruning);
  list_training_machine(options, spec.machine);
}

}  // namespace millrace
