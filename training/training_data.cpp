#include <millrace/training/training_data.h>

#include <millrace/core/number_text.h>
#include <millrace/core/plural.h>
#include <millrace/core/shown_text.h>
#include <millrace/image/orientation.h>
#include <millrace/io/decode.h>
#include <millrace/io/split.h>
#include <millrace/training/outputs.h>
#include <millrace/training/tables.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

namespace millrace {
namespace {

void check_samples(const Dataset& training, const Dataset& validation, const std::string& path) {
  if (training.targets() != validation.targets()) {
    throw Error(concat(path, ": its targets are ", list_of_names(validation.targets()),
                       ", those of the training data ", list_of_names(training.targets())));
  }
  const bool same_kind = training.dtype() == validation.dtype();
  const bool is_table = training.dtype() == DType::f32;
  if (same_kind && (!is_table || training.natural_shape() == validation.natural_shape())) return;
  throw Error(concat(path, ": holds ", kind_of_samples(validation.natural_shape()),
                     ", the training data ", kind_of_samples(training.natural_shape())));
}

/// Class folders are checked when they are read; tables and IDX files can name one class alone.
void check_several_classes(const SampleSet& set, const std::string& path) {
  const auto label = [&](std::uint32_t i) { return set.dataset->label(i); };
  const bool differ = std::any_of(set.samples.begin(), set.samples.end(), [&](std::uint32_t i) {
    return label(i) != label(set.samples.front());
  });
  if (!differ)
    throw Error(concat(path, ": all samples are of one class; there is nothing to learn"));
}

/// That something is known of each target, and of a sample something to learn.
void check_targets(const SampleSet& set, const std::string& path) {
  const std::vector<std::string>& names = set.dataset->targets();
  std::vector<bool> is_known(names.size());
  std::vector<float> values(names.size());
  for (const std::uint32_t sample : set.samples) {
    set.dataset->target(sample, values);
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!std::isnan(values[i])) is_known[i] = true;
    }
  }
  const auto unknown = std::find(is_known.begin(), is_known.end(), false);
  if (unknown == is_known.end()) return;
  throw Error(concat(path, ": the target '",
                     names[static_cast<std::size_t>(unknown - is_known.begin())],
                     "' is known of no sample to train on; leave it out of --targets"));
}

std::string percent(double share) {
  return concat(static_cast<int>(share * 1000 + 0.5) / 10.0, " %");
}

}  // namespace

std::string unit_of(const Dataset& dataset, std::uint64_t count) {
  return plural(count, dataset.dtype() == DType::f32 ? "row" : "image");
}

void tell_notes(const Dataset& dataset, const SessionWatch& watch) {
  for (const std::string& note : dataset.notes()) watch.note(note);
  for (const std::string& why : dataset.left_out().lines(LeftOutReason::unreadable)) {
    watch.warn("left out: " + why);
  }
}

ChosenPart choose_part(const DataLayout& layout, const std::string& word, const std::string& data) {
  if (word.empty() && !layout.validation) {
    const bool is_all = layout.train.samples == std::filesystem::path(data) ||
                        layout.kind == DataKind::generated ||
                        (layout.kind == DataKind::idx && !layout.only_part);
    const PartKind kind = layout.only_part.value_or(PartKind::training);
    return {layout.kind, layout.train,
            is_all                         ? "all"
            : kind == PartKind::training   ? "train"
            : kind == PartKind::validation ? "validation"
                                           : "test"};
  }
  const DataPart& part = part_of(layout, word.empty() ? "validation" : word, data);
  const bool is_test = layout.test && part.samples == layout.test->samples;
  const bool is_training = part.samples == layout.train.samples;
  return {layout.kind, part, is_training ? "train" : is_test ? "test" : "validation"};
}

namespace {

/// What to validate on, and its name for people; nothing where a share of DATA is to be split off.
std::optional<std::pair<ChosenPart, std::string>> validation_of(const DataSpec& o,
                                                                const DataLayout& layout) {
  const bool is_own = o.validation.empty();
  if (is_own && o.part.empty() && !layout.validation) return {};
  const std::string& where = is_own ? o.path : o.validation;
  const ChosenPart chosen = choose_part(is_own ? layout : find_data(where), o.part, where);
  if (is_own && chosen.name == "train") {
    throw UsageError(concat("--part ", o.part,
                            " would validate on what is trained on; name another part, or another "
                            "data set with --validation"));
  }
  const std::string name = is_own ? "DATA" : where;
  return std::pair(chosen,
                   chosen.name == "all" ? name : concat("the ", chosen.name, " part of ", name));
}

/// Gives names to the numbers of both sides. Whether there were any.
bool give_names(std::shared_ptr<const Dataset>& training,
                std::shared_ptr<const Dataset>& validation, const DataSpec& o,
                const std::vector<std::string>& names) {
  bool are_used = false;
  for (auto* set : {&training, &validation}) {
    if (*set == nullptr || names.empty() || !are_numbers((*set)->classes())) continue;
    const bool is_other = set == &validation && !o.validation.empty();
    *set = name_classes(*set, is_other ? o.validation : o.path, names);
    are_used = true;
  }
  return are_used;
}

/// Opens both sides as they are; the validation side is null where it is to be split off.
Datasets open_sides(const DataSpec& o, const DataLayout& layout, const ChosenPart* validation,
                    const Watch& watch) {
  const OpenOptions options{.skips_damage = o.on_bad_image == BadImages::skip, .table = o.table};
  Datasets sides{open_dataset(layout.kind, layout.train, watch, options), nullptr};
  if (validation == nullptr) return sides;
  const bool is_own = o.validation.empty();
  DataPart part = validation->part;
  if (is_own) part.is_one_of_several = false;  // what lies beside both was counted
  sides.validation = open_dataset(validation->kind, part, watch, beside(*sides.train, options));
  check_samples(*sides.train, *sides.validation, is_own ? sides.validation->place() : o.validation);
  return sides;
}

std::string describe_split(const TrainSpec& spec, const Dataset& data, std::uint32_t count) {
  if (count == 0) return "none";
  return concat(with_commas(count), " of them (", percent(spec.data.validation_share),
                data.targets().empty() ? " of each class" : "", ", chosen by seed ", spec.seed,
                ")");
}

/// "60,000 images in 10 classes", "2,000 rows with 2 targets: price, days".
std::string describe(const Dataset& data) {
  const std::string count = concat(with_commas(data.size()), ' ', unit_of(data, data.size()));
  const std::size_t classes = data.classes().size(), targets = data.targets().size();
  if (targets == 0) return concat(count, " in ", classes, ' ', plural(classes, "class", "classes"));
  return concat(count, " with ", targets, ' ', plural(targets, "target"), ": ",
                shown(list_of_names(data.targets())));
}

/// Of samples in shards alone: whether the order suits them.
void check_order(const TrainSpec& spec, const Dataset& training, const SessionWatch& watch) {
  const std::span<const std::uint32_t> shards = training.shards();
  if (shards.empty() && spec.shuffle_buffer != kShuffleBuffer) {
    throw UsageError(concat("--shuffle-buffer is for tar shards, and ", spec.data.path,
                            " is none; its samples are all mixed"));
  }
  if (!spec.shuffle || spec.shuffle_buffer == 0 || spec.shuffle_buffer >= training.size()) return;
  if (training.classes().empty()) return;  // targets
  std::size_t of_one_class = 0;
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::uint32_t end = i + 1 < shards.size() ? shards[i + 1] : training.size();
    std::uint32_t same = shards[i];
    while (same < end && training.label(same) == training.label(shards[i])) ++same;
    if (same == end) ++of_one_class;
  }
  if (2 * of_one_class <= shards.size()) return;
  watch.warn(concat(shown(spec.data.path), ": most shards hold images of one class alone, which ",
                    "--shuffle-buffer ", spec.shuffle_buffer,
                    " does not mix well; give 0 to mix all, or pack them mixed, as 'millrace "
                    "convert tar' does"));
}

}  // namespace

TrainingData open_training_data(const TrainSpec& spec, const SessionWatch& watch) {
  const DataSpec& o = spec.data;
  const DataLayout layout = find_data(o.path);
  check_is_table(o.table, o.path, layout.kind == DataKind::csv);
  const auto other = validation_of(o, layout);
  Datasets sides = open_sides(o, layout, other ? &other->first : nullptr,
                              watch.of_work("reading " + shown(o.path), "files"));
  auto& [training, validation] = sides;
  TrainingData data;
  const std::vector<std::string>& names = spec.labels.class_names;
  if (!give_names(training, validation, o, names)) data.class_names = names;
  if (validation != nullptr) {
    validation = match_classes(validation, o.validation.empty() ? o.path : o.validation,
                               {training->classes(), o.path})
                     .dataset;
  }
  for (const std::string& note : layout.notes) watch.note(note);
  tell_notes(*training, watch);
  check_order(spec, *training, watch);
  data.description = describe(*training);
  if (validation != nullptr) {
    tell_notes(*validation, watch);
    data.training = SampleSet::all(training);
    data.validation = SampleSet::all(validation);
    data.validation_description =
        concat(with_commas(validation->size()), ' ', unit_of(*validation, validation->size()),
               " of ", other->second);
  } else {
    const double share = o.replay > 0 ? 0 : o.validation_share;
    Split parts = split(*training, share, spec.seed);
    data.training = {training, std::move(parts.train)};
    data.validation = {training, std::move(parts.validation)};
    data.validation_description = describe_split(spec, *training, data.validation.size());
  }
  training->targets().empty() ? check_several_classes(data.training, o.path)
                              : check_targets(data.training, o.path);
  return data;
}

void match_model(TrainingData& data, const DataSpec& o, const KnownClasses& model) {
  const bool is_one = data.validation.dataset == data.training.dataset;
  try {
    const auto match = [&](SampleSet& set, const std::string& where, bool are_all_wanted) {
      KnownClasses known = model;
      known.are_all_wanted = are_all_wanted;
      set.dataset = match_classes(set.dataset, where, known, data.class_names).dataset;
    };
    match(data.training, o.path, true);
    if (is_one) {
      data.validation.dataset = data.training.dataset;
    } else if (data.validation.dataset != nullptr) {
      match(data.validation, o.validation.empty() ? o.path : o.validation, false);
    }
  } catch (const UsageError&) {
    throw;
  } catch (const Error& error) {
    throw UsageError(error.what());
  }
}

std::shared_ptr<const Dataset> open_part(const ChosenPart& part, const OpenOptions& options,
                                         const SessionWatch& watch) {
  return open_dataset(part.kind, part.part,
                      watch.of_work("reading " + shown(part.part.samples.native()), "files"),
                      options);
}

Survey survey_images(const Dataset& dataset, bool upright) {
  constexpr std::uint32_t kMost = 64;
  Survey survey{.same_size = true, .all_grey = true};
  const std::uint32_t count = std::min(kMost, dataset.size());
  Decoder decoder;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto index = static_cast<std::uint32_t>(std::uint64_t{i} * dataset.size() / count);
    try {
      ImageInfo info = dataset.info(index, decoder);
      if (upright && swaps_axes(info.orientation)) std::swap(info.height, info.width);
      if (survey.height == 0) {
        survey.height = info.height;
        survey.width = info.width;
      }
      survey.same_size =
          survey.same_size && info.height == survey.height && info.width == survey.width;
      survey.all_grey = survey.all_grey && info.channels <= 2;
    } catch (const Error&) {
      // An image that cannot be read says nothing here; training will name it.
    }
  }
  survey.same_size = survey.same_size && survey.height > 0;
  survey.all_grey = survey.all_grey && survey.height > 0;
  return survey;
}

}  // namespace millrace
