#include <millrace/training/resolve.h>

#include <millrace/core/json_text.h>
#include <millrace/core/machine_limits.h>
#include <millrace/core/plural.h>
#include <millrace/io/safetensors.h>
#include <millrace/io/weight_file.h>
#include <millrace/nn/preprocessing.h>
#include <millrace/nn/zoo/zoo.h>
#include <millrace/training/find_model.h>
#include <millrace/training/image_preprocessing.h>
#include <millrace/training/known_weights.h>
#include <millrace/training/label_form.h>
#include <millrace/training/outputs.h>
#include <millrace/training/training_data.h>
#include <millrace/training/transfer.h>
#include <millrace/training/watched_measures.h>

#include <algorithm>
#include <utility>

namespace millrace {
namespace {

constexpr int kPhotographSize = 150;
constexpr int kLargestOwnSize = 256;  // images of one size up to this keep it
constexpr int kSmallestForCnn = 46;   // four convolutions with pooling leave one pixel

/// Keras takes images as they are stored.
bool turns_images(const TrainSpec& o) {
  return o.images.exif_orientation && !o.augmentation.keras_compat;
}

void choose_images(TrainSpec& o, const Dataset& training) {
  const Shape natural = training.natural_shape();
  Survey survey;
  if (natural.rank() == 3) {
    survey = {true, static_cast<int>(natural[0]), static_cast<int>(natural[1]), natural[2] == 1};
  } else if (!o.images.size || !o.images.channels) {
    survey = survey_images(training, turns_images(o));
  }
  if (!o.images.size) {
    const bool keeps = survey.same_size && std::max(survey.height, survey.width) <= kLargestOwnSize;
    o.images.size = keeps ? ImageSize{survey.height, survey.width}
                          : ImageSize{kPhotographSize, kPhotographSize};
  }
  // Published weights are for colour.
  if (!o.images.channels) o.images.channels = survey.all_grey && o.model.weights.empty() ? 1 : 3;
}

/// The model for --weights without --model: that of a model file.
std::string model_of_weights(const ModelSpec& o) {
  const std::filesystem::path file = weights_file(o.weights);
  if (is_model_description(file.string()) && holds_model(SafetensorsFile(file).metadata())) {
    return file.string();
  }
  (void)WeightFile(file);  // throws what is better known of a file without weights
  const KnownWeights* const known = known_file(file);
  throw UsageError(concat(file.string(), " holds only weights; name their model, as in --model ",
                          known == nullptr ? "vgg16" : known->model,
                          " --head gap,dense:1024:relu,dense"));
}

/// Whether the user says which numbers pixels become, so that those of the weights are not taken.
bool says_numbers(const TrainSpec& o) {
  const ImageSpec& p = o.images;
  return p.scale || !p.mean.empty() || !p.deviation.empty() || !p.preprocessing.empty() ||
         p.featurewise_center || p.featurewise_std || p.samplewise_center || p.samplewise_std ||
         p.zca;
}

/// A run directory as MODEL is what it is to `evaluate`: the trained model, with its weights.
void take_run(TrainSpec& o) {
  if (!names_run(o.model.name)) return;
  o.model.name = model_file(o.model.name).string();
  if (o.model.weights.empty()) o.model.weights = o.model.name;
}

/// The width is a word of the model's name, as config.ini and reports have it.
void take_width(ModelSpec& o) {
  if (!o.width) return;
  o.name += concat(':', json_number(*o.width));
  o.width.reset();
}

/// That of the model and the weights, before what the user says of it.
void take_known_preprocessing(const TrainSpec& o, nn::Model& model) {
  take_preprocessing(o.model.name, nullptr, model);
  const nn::Preprocessing own = model.preprocessing;
  take_preprocessing(o.model.name, open_weights(o.model, model).get(), model);
  if (says_numbers(o)) model.preprocessing = nn::with_reading_of(model.preprocessing, own);
}

/// Columns are no pixels: a description that divides them by 255 does so because descriptions did
/// where nothing was said. What --scale and weights say stays.
void leave_columns(nn::Preprocessing& preprocessing) {
  if (preprocessing.scale == nn::Preprocessing{}.scale) preprocessing.scale = 1;
}

/// Throws UsageError if the weights know the columns of the data by other names or in another
/// order: they would meet numbers of other columns.
void check_columns_of_weights(const ModelSpec& o, const Dataset& training) {
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
    const bool are_tables = model.input.rank() == 1 && input.rank() == 1;
    const bool are_images = model.input.rank() == 3 && input.rank() == 3;
    refuse("the model's input is ", model.input, ", the samples are ", input,
           are_images   ? "; see --size and --channels"
           : are_tables ? "; give it a table with as many columns of features"
                        : ", and one of them is an image and the other a row of numbers");
  }
  if (learns_input) return;
  if (!training.targets().empty()) {
    const std::string count = outputs_problem(model, training.targets());
    if (!count.empty()) refuse(count);
    if (!model.targets.empty() && model.targets != training.targets()) {
      refuse("the targets of the model are ", list_of_names(model.targets), ", of the data ",
             list_of_names(training.targets()), "; give the data's columns its names and order");
    }
    return;
  }
  if (!model.targets.empty()) {
    refuse("the model gives targets, ", list_of_names(model.targets),
           ", and the data have classes; say which columns are targets: --targets A,B,...");
  }
  const std::vector<std::string>& classes = training.classes();
  const std::string count = outputs_problem(model, static_cast<std::int64_t>(classes.size()));
  nn::Model named = model;  // as many outputs as classes are no image, whatever the input
  if (count.empty()) named.classes = classes;
  const std::string problem = outputs_problem(named);
  if (!problem.empty() || !count.empty()) refuse(problem.empty() ? count : problem);
}

}  // namespace

TrainSpec resolve(TrainSpec o, const Dataset& training) {
  measure_what_is_watched(o, training);
  const bool is_table = training.dtype() == DType::f32;
  std::string& model = o.model.name;
  take_run(o);
  take_width(o.model);
  if (model.empty() && !o.model.weights.empty()) model = model_of_weights(o.model);
  const bool is_open = !o.images.size || !o.images.channels;  // not in a run that is gone on with
  if (is_model_description(model) && !is_table && is_open) {
    const Shape input = read_model_description(model).input;
    if (input.rank() == 3) {
      if (!o.images.size) {
        o.images.size = ImageSize{static_cast<int>(input[0]), static_cast<int>(input[1])};
      }
      if (!o.images.channels) o.images.channels = static_cast<int>(input[2]);
      if (*o.images.channels != 1 && *o.images.channels != 3) {
        throw UsageError(
            concat(model, ": images have 1 or 3 channels, the model needs ", input[2]));
      }
    }
  }
  if (!is_table) choose_images(o, training);
  if (model.empty()) {
    const ImageSize size = is_table ? ImageSize{} : *o.images.size;
    const bool is_large = std::min(size.height, size.width) >= kSmallestForCnn;
    model = is_table || std::min(size.height, size.width) < 10 ? "mlp:128"
            : is_large                                         ? "cnn"
                                                               : "cnn:32,64:128";
  }
  const nn::OptimizerInfo& usual = nn::optimizer_info(o.optimizer.kind);
  o.optimizer.learning_rate = nn::learning_rate(o.optimizer);
  if (!o.optimizer.beta1) o.optimizer.beta1 = usual.beta1;
  if (!o.optimizer.beta2) o.optimizer.beta2 = usual.beta2;
  for (const nn::RuleOption& own : usual.own) {
    const bool has_effect =
        own.has_effect == nullptr || own.has_effect(nn::update_options(o.optimizer));
    if (has_effect) o.optimizer.own.emplace(own.name, own.usual);
  }
  resolve(o.machine);
  if (!o.machine.precision) o.machine.precision = nn::Precision::fp32;
  return o;
}

void resolve(MachineSpec& o) {
  if (o.threads == 0) o.threads = available_threads();
  if (o.compute_threads == 0) o.compute_threads = available_threads();
  if (!o.memory_budget) o.memory_budget = Bytes{memory_limit().count / 2};
}

Shape sample_shape(const TrainSpec& o, const Dataset& training) {
  if (training.dtype() == DType::f32) return training.natural_shape();
  const ImageSize size = o.images.size.value();
  return {size.height, size.width, o.images.channels.value_or(3)};
}

std::optional<KnownClasses> classes_of_model(const TrainSpec& o) {
  const bool keeps_output = o.model.head.empty() && o.labels.class_mode != ClassMode::input;
  if (!is_model_description(o.model.name) || !keeps_output) return {};
  const std::vector<std::string> names = read_model_description(o.model.name).classes;
  if (names.empty()) return {};
  return KnownClasses{names, o.model.name, true};
}

nn::Model make_model(const TrainSpec& o, const Dataset& training) {
  const Shape input = sample_shape(o, training);
  const bool is_table = training.dtype() == DType::f32;
  const auto classes = static_cast<std::int64_t>(training.classes().size());
  const bool has_targets = !training.targets().empty();
  const std::int64_t outputs = has_targets ? static_cast<std::int64_t>(training.targets().size())
                                           : outputs_for(o.labels, classes, input);
  const nn::Initializer initializer = o.model.initializer;
  const bool is_given = is_model_description(o.model.name);
  nn::Model model;
  if (is_given) {
    model = read_model_description(o.model.name);
    if (is_table) leave_columns(model.preprocessing);
    if (!o.model.head.empty()) model.input = input;  // features of any size
  } else {
    model = nn::zoo_model(o.model.name, input, outputs, initializer);
  }
  model = with_transfer(std::move(model), o.model, outputs, initializer);
  if (is_given)
    check_fit(model, o.model.name, input, training, o.labels.class_mode == ClassMode::input);
  check_columns_of_weights(o.model, training);
  nn::Preprocessing& preprocessing = model.preprocessing;
  take_known_preprocessing(o, model);
  apply(o.images, input, preprocessing);
  if (o.images.filter) preprocessing.filter = to_string(*o.images.filter);
  if (!turns_images(o)) preprocessing.exif_orientation = false;
  if (o.images.scale) preprocessing.scale = static_cast<float>(*o.images.scale);
  if (!o.images.mean.empty()) preprocessing.mean = o.images.mean;
  if (!o.images.deviation.empty()) preprocessing.deviation = o.images.deviation;
  (void)filter_from_name(preprocessing.filter);
  const bool is_own_end = is_given && o.model.head.empty();
  if (has_targets) {
    fit_to_targets(o.labels, training, is_own_end, model);
    const std::string problem = outputs_problem(model);
    if (!problem.empty()) throw UsageError(concat(o.model.name, ": ", problem));
  } else {
    model.targets.clear();
    model.classes = training.classes();
  }
  model.table = is_table && training.table() != nullptr ? *training.table() : TableForm{};
  if (!has_targets) fit_to_class_mode(o.labels, classes, is_own_end, model);
  nn::validate(model);
  return model;
}

}  // namespace millrace
