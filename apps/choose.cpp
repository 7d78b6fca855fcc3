#include "apps/choose.h"

#include "apps/engine_choice.h"
#include "apps/find_model.h"
#include "apps/lists.h"
#include "apps/machine.h"
#include "apps/outputs.h"
#include "apps/run_directory.h"

#include <millrace/core/plural.h>
#include <millrace/io/safetensors.h>
#include <millrace/io/weight_file.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/pipeline/threads.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace millrace::apps {
namespace {

constexpr int kPhotographSize = 150;
constexpr int kLargestOwnSize = 256;  // images of one size up to this keep it
constexpr int kSmallestForCnn = 46;   // four convolutions with pooling leave one pixel

std::pair<int, int> parse_size(const std::string& text) {
  int height = 0, width = 0;
  const char* const end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, height);
  width = height;
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == 'x')
    read = std::from_chars(read.ptr + 1, end, width);
  if (read.ec != std::errc{} || read.ptr != end || height < 1 || width < 1) {
    throw UsageError(
        concat("train: --size must be N or HxW, for example 150 or 120x160, not '", text, "'"));
  }
  return {height, width};
}

/// Keras takes images as they are stored.
bool turns_images(const TrainOptions& o) {
  return !o.preprocessing.no_exif_orientation && !o.augmentation.keras_compat;
}

void choose_images(TrainOptions& o, const Dataset& training) {
  const Shape natural = training.natural_shape();
  Survey survey;
  if (natural.rank() == 3) {
    survey = {true, static_cast<int>(natural[0]), static_cast<int>(natural[1]), natural[2] == 1};
  } else if (o.size.empty() || !o.channels) {
    survey = survey_images(training, turns_images(o));
  }
  if (o.size.empty()) {
    const bool keeps = survey.same_size && std::max(survey.height, survey.width) <= kLargestOwnSize;
    o.size = keeps ? concat(survey.height, 'x', survey.width)
                   : concat(kPhotographSize, 'x', kPhotographSize);
  }
  // Published weights are for colour.
  if (!o.channels) o.channels = survey.all_grey && o.transfer.weights.empty() ? 1 : 3;
}

/// The model for --weights without --model: that of a model file.
std::string model_of_weights(const TransferOptions& o) {
  const std::filesystem::path file = weights_file(o.weights);
  if (is_model_description(file.string()) && holds_model(SafetensorsFile(file).metadata())) {
    return file.string();
  }
  (void)WeightFile(file);  // throws what is better known of a file without weights
  throw UsageError(concat("train: ", file.string(),
                          " holds weights alone; say of which model, as in ",
                          "--model vgg16 --head gap,dense:1024:relu,dense"));
}

/// Whether the user says how pixels become input, so that the weights' own way is not taken.
bool says_preprocessing(const TrainOptions& o) {
  const PreprocessingOptions& p = o.preprocessing;
  return o.scale || !o.mean.empty() || !o.deviation.empty() || !p.family.empty() ||
         p.featurewise_center || p.featurewise_std || p.samplewise_center || p.samplewise_std ||
         p.zca || json_says_preprocessing(o.model);
}

/// A run directory as MODEL is what it is to `evaluate`: the trained model, with its weights.
void take_run(TrainOptions& o) {
  if (!names_run(o.model)) return;
  o.model = model_file(o.model).string();
  if (o.transfer.weights.empty()) o.transfer.weights = o.model;
}

/// The one that belongs to the weights, where they tell.
void take_preprocessing(nn::Preprocessing& preprocessing, const TransferOptions& o,
                        const nn::Model& model) {
  const auto weights = open_weights(o, model);
  if (weights == nullptr || !weights->preprocessing()) return;
  preprocessing = nn::with_reading_of(preprocessing, *weights->preprocessing());
}

/// Columns are no pixels: a description that divides them by 255 does so because descriptions did
/// where nothing was said. What --scale and weights say stays.
void leave_columns(nn::Preprocessing& preprocessing) {
  if (preprocessing.scale == nn::Preprocessing{}.scale) preprocessing.scale = 1;
}

/// Throws UsageError if the weights know the columns of the data by other names or in another
/// order: they would meet numbers of other columns.
void check_columns_of_weights(const TransferOptions& o, const Dataset& training) {
  if (o.weights.empty() || training.table() == nullptr) return;
  const std::filesystem::path file = weights_file(o.weights);
  if (file.extension() != ".safetensors" || !holds_model(SafetensorsFile(file).metadata())) return;
  const std::vector<std::string> wanted = read_model(file).table.columns;
  const std::vector<std::string>& given = training.table()->columns;
  if (wanted.empty() || given.empty() || wanted == given) return;
  const auto refuse = [&](const auto&... what) {
    throw UsageError(concat(file.string(), ": ", what...));
  };
  if (wanted.size() != given.size()) {
    refuse("the model has ", wanted.size(), ' ', plural(wanted.size(), "column"), ", the data ",
           given.size());
  }
  const auto [own, other] = std::mismatch(wanted.begin(), wanted.end(), given.begin());
  refuse("column ", own - wanted.begin() + 1, " of the model is '", *own, "', of the data '",
         *other, "'; give the data's columns its names and order");
}

/// Throws UsageError unless a model from a file can learn from the data; from the labels, or with
/// `learns_input` from the samples alone.
void check_fit(const nn::Model& model, const std::string& file, const Shape& input,
               const Dataset& training, bool learns_input) {
  const auto refuse = [&](const auto&... what) { throw UsageError(concat(file, ": ", what...)); };
  if (model.input != input) {
    refuse("the model's input is ", model.input, ", the samples are ", input,
           "; see --size and --channels");
  }
  if (learns_input) return;
  const std::vector<std::string>& classes = training.classes();
  const std::string count = outputs_problem(model, static_cast<std::int64_t>(classes.size()));
  nn::Model named = model;  // as many outputs as classes are no image, whatever the input
  if (count.empty()) named.classes = classes;
  const std::string problem = outputs_problem(named);
  if (!problem.empty() || !count.empty()) refuse(problem.empty() ? count : problem);
}

}  // namespace

void choose(TrainOptions& o, const Dataset& training) {
  const bool is_table = training.dtype() == DType::f32;
  take_run(o);
  if (o.model.empty() && !o.transfer.weights.empty()) o.model = model_of_weights(o.transfer);
  const bool is_given_model = is_model_description(o.model);
  if (is_given_model && !is_table) {
    const Shape input = read_model_description(o.model).input;
    if (input.rank() == 3) {
      if (o.size.empty()) o.size = concat(input[0], 'x', input[1]);
      if (!o.channels) o.channels = static_cast<int>(input[2]);
      if (*o.channels != 1 && *o.channels != 3) {
        throw UsageError(
            concat(o.model, ": images have 1 or 3 channels, the model wants ", input[2]));
      }
    }
  }
  if (!is_table) choose_images(o, training);
  if (o.model.empty()) {
    const auto [height, width] = is_table ? std::pair(0, 0) : parse_size(o.size);
    const bool is_large = std::min(height, width) >= kSmallestForCnn;
    o.model = is_table || std::min(height, width) < 10 ? "mlp:128"
              : is_large                               ? "cnn"
                                                       : "cnn:32,64:128";
  }
  const nn::OptimizerInfo& usual = nn::optimizer_info(nn::optimizer_kind(o.optimizer));
  if (!o.learning_rate) o.learning_rate = usual.learning_rate;
  if (!o.beta1) o.beta1 = usual.beta1.value_or(0.9);  // config.ini has them for every optimizer
  if (!o.beta2) o.beta2 = usual.beta2.value_or(0.999);
  if (o.threads == 0) o.threads = available_threads();
  o.device = chosen_device(o.device);
  if (o.memory_budget.empty()) o.memory_budget = to_string(Bytes{memory_limit().count / 2});
  if (parse_bytes(o.memory_budget).count == 0) {
    throw UsageError("train: --memory-budget must be above 0");
  }
  if (o.run_dir.empty()) o.run_dir = default_run_directory().string();
}

Shape sample_shape(const TrainOptions& o, const Dataset& training) {
  if (training.dtype() == DType::f32) return training.natural_shape();
  const auto [height, width] = parse_size(o.size);
  return {height, width, o.channels.value_or(3)};
}

std::optional<KnownClasses> classes_of_model(const TrainOptions& o) {
  const bool keeps_output = o.transfer.head.empty() && o.labels.class_mode != "input";
  if (!is_model_description(o.model) || !keeps_output) return {};
  const std::vector<std::string> names = read_model_description(o.model).classes;
  if (names.empty()) return {};
  return KnownClasses{names, o.model, true};
}

nn::Model make_model(const TrainOptions& o, const Dataset& training) {
  const Shape input = sample_shape(o, training);
  const bool is_table = training.dtype() == DType::f32;
  const auto classes = static_cast<std::int64_t>(training.classes().size());
  const std::int64_t outputs = outputs_for(o.labels, classes, input);
  const nn::Initializer initializer = nn::initializer_named(o.initializer);
  const bool is_given = is_model_description(o.model);
  bool says_orientation = false;  // as model files do, and descriptions that speak of pixels
  nn::Model model;
  if (is_given) {
    model = read_model_description(o.model);
    if (is_table) leave_columns(model.preprocessing);
    if (!o.transfer.head.empty()) model.input = input;  // features of any size
    const bool is_json = std::filesystem::path(o.model).extension() == ".json";
    says_orientation = !is_json || model.preprocessing != nn::Preprocessing{};
  } else {
    model = nn::zoo_model(o.model, input, outputs, initializer);
    model.preprocessing.scale = nn::default_preprocessing(input).scale;
  }
  if (!says_orientation) model.preprocessing.exif_orientation = !is_table;
  model = with_transfer(std::move(model), o.transfer, outputs, initializer);
  if (is_given) check_fit(model, o.model, input, training, o.labels.class_mode == "input");
  check_columns_of_weights(o.transfer, training);
  nn::Preprocessing& preprocessing = model.preprocessing;
  if (!says_preprocessing(o)) take_preprocessing(preprocessing, o.transfer, model);
  apply(o.preprocessing, input, preprocessing);
  if (!o.filter.empty()) preprocessing.filter = o.filter;
  if (!turns_images(o)) preprocessing.exif_orientation = false;
  if (o.scale) preprocessing.scale = static_cast<float>(*o.scale);
  if (!o.mean.empty()) preprocessing.mean = numbers_of<float>(o.mean, "train: --mean");
  if (!o.deviation.empty())
    preprocessing.deviation = numbers_of<float>(o.deviation, "train: --deviation");
  (void)filter_from_name(preprocessing.filter);
  model.classes = training.classes();
  model.table = is_table && training.table() != nullptr ? *training.table() : TableForm{};
  fit_to_class_mode(o.labels, classes, is_given && o.transfer.head.empty(), model);
  nn::validate(model);
  return model;
}

nn::OptimizerOptions optimizer_options(const TrainOptions& o) {
  return {.kind = nn::optimizer_kind(o.optimizer),
          .learning_rate = o.learning_rate.value_or(0.001),
          .momentum = o.momentum,
          .nesterov = o.nesterov,
          .beta1 = o.beta1,
          .beta2 = o.beta2,
          .epsilon = o.epsilon,
          .weight_decay = o.weight_decay};
}

}  // namespace millrace::apps
