#pragma once
// The options of training, a row each, by topic; and those that other commands share with
// it. To add an option, add a field to the spec and a row to the file of its topic.

#include <millrace/training/model_with_weights.h>
#include <millrace/training/option_list.h>
#include <millrace/training/options/words.h>
#include <millrace/training/train_spec.h>

#include <cstdint>
#include <string>
#include <vector>

namespace millrace {

/// All options of a training run.
void list(OptionList& options, TrainSpec& spec);

// Its topics.
void list_data(OptionList& options, TrainSpec& spec);
void list_images(OptionList& options, ImageSpec& spec);
void list_labels(OptionList& options, LabelSpec& spec);
void list_model(OptionList& options, ModelSpec& spec);
void list_training(OptionList& options, TrainSpec& spec);
void list_schedule(OptionList& options, TrainSpec& spec);
void list_augmentation(OptionList& options, AugmentOptions& spec);
void list_callbacks(OptionList& options, TrainSpec& spec);
void list_pruning(OptionList& options, PruningSpec& spec);
void list_run(OptionList& options, RunSpec& spec);

/// `has_model`: for a command with a model that knows how its data were read.
void list_table(OptionList& options, CsvOptions& spec, bool has_model);
/// Threads, precision and memory; the device too unless the command has an option of its own.
void list_machine(OptionList& options, MachineSpec& spec, bool with_device = true);
/// Its rows that several commands have one of.
void list_precision(OptionList& options, MachineSpec& spec);
void list_memory_budget(OptionList& options, MachineSpec& spec);
void list_class_names(OptionList& options, std::vector<std::string>& names);
void list_bad_images(OptionList& options, BadImages& policy);
void list_max_image_pixels(OptionList& options, std::uint64_t& pixels);
void list_optimizer(OptionList& options, nn::OptimizerOptions& optimizer);
void list_momentum(OptionList& options, nn::OptimizerOptions& optimizer);
void list_ignored_layers(OptionList& options, std::vector<std::string>& layers);
void list_flatten_order(OptionList& options, std::optional<FlattenOrder>& order);
/// Of a command that asks a model: weights for one that is named, and what belongs to them.
void list_request(OptionList& options, ModelRequest& request);

/// Names with commas between them, or a file with a name a line; a comma of a name itself has a
/// backslash before it. Throws UsageError for one name alone or text that is not UTF-8, Error if
/// the file cannot be read.
[[nodiscard]] std::vector<std::string> read_class_names(std::string_view text);

/// Throws UsageError in one line that names the options: what one row cannot check, because it is
/// of several fields.
void check(const TrainSpec& spec);

}  // namespace millrace
