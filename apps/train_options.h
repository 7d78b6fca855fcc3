#pragma once
// The options of `millrace train`, in the words of the field, by topic. What is left out is chosen
// from the data and the machine (choose.h) and printed before training starts.

#include "apps/augmentation_options.h"
#include "apps/callback_options.h"
#include "apps/command_line.h"
#include "apps/engine_choice.h"
#include "apps/event_options.h"
#include "apps/label_options.h"
#include "apps/machine_options.h"
#include "apps/preprocessing_options.h"
#include "apps/pruning_options.h"
#include "apps/schedule_options.h"
#include "apps/table_options.h"
#include "apps/transfer_options.h"

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::apps {

struct TrainOptions {
  // data
  std::string data;
  std::string validation;
  double validation_share = 0.2;
  std::string part;
  std::string size;
  std::optional<int> channels;
  std::string filter;
  std::optional<double> scale;
  std::string mean, deviation;
  std::string on_bad_image = "fail";
  std::uint64_t bad_image_limit = 0;
  std::uint64_t max_image_pixels = kMaxImagePixels;
  std::uint32_t limit_batches = 0;
  std::uint32_t replay = 0;
  bool resident = false;
  PreprocessingOptions preprocessing;
  LabelOptions labels;
  TableOptions table;
  // model
  std::string model;
  std::string initializer = "glorot_uniform";
  // training
  std::uint32_t epochs = 10;
  std::int64_t batch = 32;
  std::uint32_t accumulate = 1;
  std::uint32_t steps_per_epoch = 0;
  std::string loss;  ///< empty: that of the model's last layer
  std::string optimizer = "adam";
  std::optional<double> learning_rate;
  double momentum = 0.0;
  bool nesterov = false;
  std::optional<double> beta1, beta2;
  double epsilon = 0.0, weight_decay = 0.0;
  std::optional<double> ema;  ///< momentum; absent: no average
  std::uint64_t seed = 1;
  bool no_shuffle = false;
  ScheduleOptions schedule;
  AugmentationOptions augmentation;
  CallbackOptions callbacks;
  EventOptions events;
  TransferOptions transfer;
  PruningOptions pruning;
  // machine
  std::string device = "auto";
  std::string precision, loss_scale;  ///< as EngineChoice has them
  int threads = 0;
  int compute_threads = 0;
  std::string memory_budget;
  int slots = 3;
  double stall_timeout = 60;      ///< seconds; 0: no watch
  std::int64_t report_every = 0;  ///< steps; 0: chosen by the engine
  // output
  std::string run_dir;
  bool overwrite = false;
  bool print_plan = false;
  bool no_profile = false;
  bool quiet = false;

  [[nodiscard]] EngineChoice engine() const;
};

/// Declares all options.
void declare(CommandLine& line, TrainOptions& options);

/// Throws UsageError for values out of range, naming the option. Of words that mean the same it
/// leaves one.
void check(TrainOptions& options);

}  // namespace millrace::apps
