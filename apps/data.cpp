#include "apps/data.h"

#include "apps/left_out_report.h"

#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/image/orientation.h>
#include <millrace/io/decode.h>
#include <millrace/io/split.h>

#include <algorithm>
#include <utility>

namespace millrace::apps {
namespace {

Watch watch_of(Counting& counting, std::stop_token stop) {
  return {[&counting](std::uint64_t count) { counting(count); }, std::move(stop)};
}

void check_classes(const Dataset& training, const Dataset& validation, const std::string& path) {
  if (training.classes() == validation.classes()) return;
  throw Error(concat(path, ": has ", validation.classes().size(), ' ',
                     plural(validation.classes().size(), "class", "classes"), " (",
                     validation.classes().front(), ", ...), the training data ",
                     training.classes().size(), " (", training.classes().front(),
                     ", ...); they must be the same"));
}

void check_samples(const Dataset& training, const Dataset& validation, const std::string& path) {
  const bool same_kind = training.dtype() == validation.dtype();
  const bool is_table = training.dtype() == DType::f32;
  if (same_kind && (!is_table || training.natural_shape() == validation.natural_shape())) return;
  const auto kind = [](const Dataset& data) {
    return data.dtype() == DType::u8 ? std::string("pictures")
                                     : concat("rows of ", data.natural_shape(), " features");
  };
  throw Error(concat(path, ": holds ", kind(validation), ", the training data ", kind(training)));
}

/// Class folders are checked when they are read; tables and IDX files can name one class alone.
void check_several_classes(const SampleSet& set, const std::string& path) {
  const auto label = [&](std::uint32_t i) { return set.dataset->label(i); };
  const bool differ = std::any_of(set.samples.begin(), set.samples.end(), [&](std::uint32_t i) {
    return label(i) != label(set.samples.front());
  });
  if (!differ)
    throw Error(concat(path, ": all samples are of one class; there is nothing to tell apart"));
}

std::string percent(double share) {
  return concat(static_cast<int>(share * 1000 + 0.5) / 10.0, " %");
}

}  // namespace

std::string unit_of(const Dataset& dataset, std::uint64_t count) {
  return plural(count, dataset.dtype() == DType::f32 ? "row" : "picture");
}

TrainingData open_training_data(const DataOptions& options, Show show, std::stop_token stop) {
  const DataLayout layout = find_data(options.data);
  std::shared_ptr<const Dataset> training, validation;
  TrainingData data;
  {
    Counting counting(show, "reading " + shown(options.data), "files");
    const Watch watch = watch_of(counting, std::move(stop));
    if (options.validation.empty()) {
      const Datasets both = open_datasets(layout, watch);
      training = both.train;
      validation = both.validation;
    } else {
      training = open_dataset(layout.kind, layout.train, watch);
      const DataLayout other = find_data(options.validation);
      validation = open_dataset(other.kind, other.train, watch, training->classes());
      check_classes(*training, *validation, options.validation);
      check_samples(*training, *validation, options.validation);
    }
  }
  print_notes(*training, show);
  data.description = concat(
      with_commas(training->size()), ' ', unit_of(*training, training->size()), " in ",
      training->classes().size(), ' ', plural(training->classes().size(), "class", "classes"));
  if (validation != nullptr) {
    print_notes(*validation, show);
    data.training = SampleSet::all(training);
    data.validation = SampleSet::all(validation);
    const std::string where = !options.validation.empty() ? options.validation
                              : layout.validation_is_test ? "the test part of DATA"
                                                          : "the validation part of DATA";
    data.validation_description = concat(with_commas(validation->size()), ' ',
                                         unit_of(*validation, validation->size()), " of ", where);
  } else {
    Split parts = split(*training, options.validation_share, options.seed);
    data.training = {training, std::move(parts.train)};
    data.validation = {training, std::move(parts.validation)};
    data.validation_description = data.validation.size() == 0
                                      ? std::string("none")
                                      : concat(with_commas(data.validation.size()), " of them (",
                                               percent(options.validation_share),
                                               " of each class, drawn by seed ", options.seed, ")");
  }
  check_several_classes(data.training, options.data);
  return data;
}

std::shared_ptr<const Dataset> open_evaluation_data(const std::string& data,
                                                    const std::string& part,
                                                    std::vector<std::string> classes, Show show,
                                                    std::stop_token stop) {
  const DataLayout layout = find_data(data);
  if (part == "validation" && !layout.validation) {
    throw Error(concat(data, ": has no validation part; expected val/ or test/ beside train/"));
  }
  const bool takes_training = part == "train" || !layout.validation;
  std::shared_ptr<const Dataset> dataset;
  {
    Counting counting(show, "reading " + shown(data), "files");
    dataset = open_dataset(layout.kind, takes_training ? layout.train : *layout.validation,
                           watch_of(counting, std::move(stop)), std::move(classes));
  }
  print_notes(*dataset, show);
  return dataset;
}

Survey survey_pictures(const Dataset& dataset, bool upright) {
  constexpr std::uint32_t kMost = 64;
  Survey survey{.same_size = true, .all_grey = true};
  const std::uint32_t count = std::min(kMost, dataset.size());
  Decoder decoder;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint32_t>(std::uint64_t{i} * dataset.size() / count);
    try {
      ImageInfo info = decoder.info(dataset.name(index));
      if (upright && swaps_axes(info.orientation)) std::swap(info.height, info.width);
      if (survey.height == 0) {
        survey.height = info.height;
        survey.width = info.width;
      }
      survey.same_size =
          survey.same_size && info.height == survey.height && info.width == survey.width;
      survey.all_grey = survey.all_grey && info.channels <= 2;
    } catch (const Error&) {
      // A picture that cannot be read says nothing here; training will name it.
    }
  }
  survey.same_size = survey.same_size && survey.height > 0;
  survey.all_grey = survey.all_grey && survey.height > 0;
  return survey;
}

}  // namespace millrace::apps
