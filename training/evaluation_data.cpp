#include <millrace/training/evaluation_data.h>

#include <millrace/core/shell_text.h>
#include <millrace/io/checkpoint_folder.h>
#include <millrace/io/files.h>
#include <millrace/io/generated.h>
#include <millrace/io/split.h>
#include <millrace/io/tar_shards.h>
#include <millrace/training/find_model.h>
#include <millrace/training/outputs.h>
#include <millrace/training/run_config.h>
#include <millrace/training/run_directory.h>
#include <millrace/training/sample_prints.h>
#include <millrace/training/tables.h>

#include <filesystem>
#include <utility>

namespace millrace {
namespace {

namespace fs = std::filesystem;

/// Throws Error unless samples are to the data set what they are to the model.
void check_fit(const nn::Model& model, const Dataset& dataset, const std::string& data) {
  const Shape natural = dataset.natural_shape();
  const bool is_table = dataset.dtype() == DType::f32;
  if (is_table ? natural != model.input : model.input.rank() != 3) {
    throw Error(concat(data, ": holds ", kind_of_samples(natural), ", and the model takes ",
                       kind_of_samples(model.input)));
  }
}

/// What a run directory tells of the samples of its run.
struct RunData {
  fs::path run;
  TrainSpec spec;  ///< as config.ini has them
  DataRecord record;
};

/// Whether a run validates on a share, as its options say; for runs of older programs.
bool would_keep_share(const TrainSpec& o) {
  try {
    return o.data.validation.empty() && o.data.validation_share > 0 && o.data.replay == 0 &&
           !find_data(o.data.path).validation;
  } catch (const Error&) {
    return true;  // the data are not where they were
  }
}

/// What data.json tells or, for runs of older programs, the last checkpoint.
void read_record(RunData& run) {
  std::error_code ignored;
  if (const fs::path file = data_file(run.run); fs::exists(file, ignored)) {
    const std::vector<std::byte> bytes = read_file(file);
    run.record =
        data_record_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, file.string());
    return;
  }
  const CheckpointFolder::Found last = CheckpointFolder(run.run / "checkpoints").last_good();
  if (!last.entry) {
    throw Error(
        concat(run.run.string(), ": does not record its samples (no data.json and no checkpoint)"));
  }
  run.record.training.samples = last.checkpoint.get<std::string>("data.training");
  run.record.validation.samples = last.checkpoint.get<std::string>("data.validation");
  run.record.is_share = run.record.validation.samples != "no samples" && would_keep_share(run.spec);
}

/// The run that the model is of, by the folder that it lies in; nothing where that is none.
std::optional<RunData> run_of(const std::string& model) {
  std::error_code ignored;
  const fs::path folder = fs::absolute(model_file(model)).parent_path();
  if (!fs::exists(folder / "config.ini", ignored)) return {};
  const fs::path named(model);
  RunData run{fs::is_directory(named, ignored) ? named : named.parent_path(), {}, {}};
  run.spec = spec_of_run(folder);
  if (run.run.empty()) run.run = ".";
  read_record(run);
  return run;
}

/// The share that a run kept back, where it did.
void check_keeps_share(const RunData& run, const DataLayout& layout, const std::string& data) {
  const std::string name = run.run.string(), quoted = shell_quoted(name);
  const TrainSpec& o = run.spec;
  const auto refuse = [&](const auto&... what) { throw Error(concat(name, ": ", what...)); };
  if (!o.data.validation.empty()) {
    refuse("held nothing out, since it validated on other data; measure on those: ",
           "millrace evaluate ", quoted, ' ', shell_quoted(o.data.validation));
  }
  if (layout.validation) {
    refuse("held out nothing of ", layout.train.samples.string(), ", since it validated on ",
           layout.validation->samples.string(), "; measure on that: millrace evaluate ", quoted,
           ' ', shell_quoted(data));
  }
  if (!run.record.is_share) {
    refuse("held nothing out", o.data.replay > 0 ? " (--replay)" : " (--validation-share 0)",
           "; measure on samples that it was not trained on: millrace evaluate ", quoted, " OTHER");
  }
}

/// Numbers are called what the run called them, where the data are those of the run.
std::vector<std::string> names_for_numbers(const EvaluationRequest& request,
                                           const std::optional<RunData>& run) {
  if (!request.class_names.empty() || !run) return request.class_names;
  std::error_code ignored;
  const bool is_same = request.held_out || request.data.empty() ||
                       request.data == run->spec.data.path ||
                       fs::equivalent(request.data, run->spec.data.path, ignored);
  return is_same ? run->record.class_names : std::vector<std::string>();
}

/// Targets are those of the model in their order: columns that were asked for may have other names.
void match_targets(EvaluationData& result, std::shared_ptr<const Dataset> dataset,
                   const nn::Model& model, const EvaluationRequest& request) {
  const std::vector<std::string>& own = dataset->targets();
  const auto refuse = [&](const auto&... what) { throw Error(concat(result.data, ": ", what...)); };
  if (model.targets.empty()) refuse("has targets, and ", request.model, " gives classes");
  if (own.empty()) {
    refuse("has classes, and ", request.model, " gives targets: ", list_of_names(model.targets));
  }
  const bool is_told = !request.table.targets.empty();
  if (own.size() != model.targets.size() || (!is_told && own != model.targets)) {
    refuse("its targets are ", list_of_names(own), ", those of ", request.model, " ",
           list_of_names(model.targets));
  }
  if (!request.class_names.empty()) {
    throw UsageError(concat("--class-names gives names to classes, and ", request.model,
                            " gives targets; leave it out"));
  }
  check_labels(model, *dataset, result.data);
  result.samples.dataset = std::move(dataset);
  result.names = model.targets;
}

/// Under the model's classes. Names are for what has numbers, if anything has.
void match(EvaluationData& result, std::shared_ptr<const Dataset> dataset, const nn::Model& model,
           const EvaluationRequest& request, const std::optional<RunData>& run) {
  check_fit(model, *dataset, result.data);
  if (!model.targets.empty() || !dataset->targets().empty()) {
    match_targets(result, std::move(dataset), model, request);
    return;
  }
  check_outputs(model, request.model, static_cast<std::int64_t>(dataset->classes().size()));
  std::vector<std::string> given = names_for_numbers(request, run);
  const std::vector<std::string> known = class_names(model);
  const bool has_numbers = are_numbers(dataset->classes()) || are_numbers(known);
  if (request.class_names.empty() && !has_numbers) given.clear();
  MatchedClasses matched =
      match_classes(std::move(dataset), result.data, {known, "the model"}, given);
  result.samples.dataset = std::move(matched.dataset);
  result.names = std::move(matched.names);
}

/// In what samples differ from those of a run; nullptr where they are the same. `classes` are the
/// model's, whatever they are called here.
const char* difference(const SampleSet& set, const std::vector<std::string>& classes,
                       const DataRecord::Prints& before) {
  const std::string now = fingerprint(set, classes);
  if (now != before.samples) {
    return count_in(now) == count_in(before.samples) ? " with other names or classes" : "";
  }
  const bool is_known = !before.contents.empty();
  return is_known && contents_print(set) != before.contents ? " with other contents" : nullptr;
}

/// Throws Error if the samples are not those that the run validated on.
void check_held_out(const EvaluationData& result, const RunData& run,
                    const std::vector<std::string>& classes) {
  const char* const what = difference(result.samples, classes, run.record.validation);
  if (what == nullptr) return;
  throw Error(concat(result.data, ": is not the data of ", run.run.string(), " any more (then ",
                     count_in(run.record.validation.samples), ", now ",
                     count_in(fingerprint(result.samples)), what,
                     "), so which samples were held out is unknown"));
}

bool is_training_data(const RunData& run, const DataPart& part) {
  try {
    std::error_code ignored;
    const DataLayout layout = find_data(run.spec.data.path);
    return part.samples == layout.train.samples ||
           fs::equivalent(part.samples, layout.train.samples, ignored);
  } catch (const Error&) {
    return false;  // it is not there any more
  }
}

/// Finds out how many of the samples the run was trained on. `raw` is the data set as it was split:
/// under its own classes.
void tell_trained_on(EvaluationData& result, const RunData& run, const nn::Model& model,
                     const Dataset& raw, const DataPart& part) {
  const SampleSet& set = result.samples;
  const std::vector<std::string> classes = class_names(model);
  const DataRecord& record = run.record;
  const bool is_there = is_training_data(run, part);
  // An older run knows its samples by their names alone, and other data may have the same ones.
  const auto are = [&](const SampleSet& these, const DataRecord::Prints& before) {
    return (is_there || !before.contents.empty()) && difference(these, classes, before) == nullptr;
  };
  const std::string what = unit_of(*set.dataset, set.size());
  const std::string advice = record.is_share
                                 ? concat("; for the share that it held out: millrace evaluate ",
                                          shell_quoted(run.run.native()), " --held-out")
                                 : ", which says little about new ones";
  if (are(set, record.training)) {
    result.trained_on = set.size();
    result.warning = concat(
        "the model was trained on ",
        set.size() == 1 ? concat("this ", what) : concat("all of these ", set.size(), ' ', what),
        advice);
    return;
  }
  if (are(set, record.validation)) {
    result.trained_on = 0;
    return;
  }
  if (record.is_share) {
    const TrainSpec& o = run.spec;
    const SampleSet trained{set.dataset, split(raw, o.data.validation_share, o.seed).train};
    if (are(trained, record.training)) {
      result.trained_on = trained.size();
      result.warning = concat("the model was trained on ", trained.size(), " of these ", set.size(),
                              ' ', what, advice);
      return;
    }
  }
  if (!is_there) return;
  result.warning = concat("the model was trained on this data, which changed since", advice);
}

EvaluationData open_held_out(const EvaluationRequest& request, const RunData& run,
                             const nn::Model& model, const SessionWatch& watch) {
  EvaluationData result;
  result.data = request.data.empty() ? run.spec.data.path : request.data;
  result.part = "held-out";
  result.trained_on = 0;
  result.run = run.spec;
  if (std::error_code ignored; request.data.empty() && !is_generated(result.data) &&
                               shards_matching(result.data).empty() &&
                               !fs::exists(result.data, ignored)) {
    throw Error(concat(result.data, ": No such file or folder; if it was moved: millrace evaluate ",
                       shell_quoted(run.run.native()), " DATA --held-out"));
  }
  const DataLayout layout = find_data(result.data);
  check_is_table(request.table, result.data, layout.kind == DataKind::csv);
  check_keeps_share(run, layout, result.data);
  const auto raw = open_part(
      choose_part(layout, "train", result.data),
      {.is_companion = true, .skips_damage = request.skips_damage, .table = request.table}, watch);
  result.samples.samples = split(*raw, run.spec.data.validation_share, run.spec.seed).validation;
  match(result, raw, model, request, run);
  check_held_out(result, run, class_names(model));
  if (const std::uint32_t batches = run.spec.data.limit_batches; batches > 0) {
    result.warning = concat("the run validated on its first ",
                            batches == 1 ? "batch" : concat(batches, " batches"),
                            " only (--limit-batches), so its val_loss differs");
  }
  return result;
}

}  // namespace

EvaluationData open_evaluation_data(const EvaluationRequest& request, const nn::Model& model,
                                    const SessionWatch& watch) {
  std::optional<RunData> run;
  try {
    run = run_of(request.model);
  } catch (const Error&) {  // else it is asked for nothing
    if (request.held_out) throw;
  }
  if (request.held_out && !run) {
    throw Error(concat(request.model,
                       ": is not in a run directory (there is no config.ini beside it), so which "
                       "samples were held out is unknown"));
  }
  if (request.held_out) return open_held_out(request, *run, model, watch);
  EvaluationData result;
  result.data = request.data;
  const DataLayout layout = find_data(request.data);
  check_is_table(request.table, request.data, layout.kind == DataKind::csv);
  if (!layout.validation && run && run->record.is_share && request.part == "validation") {
    throw Error(concat(request.data, ": has no validation part; for the share that the run held ",
                       "out: millrace evaluate ", shell_quoted(request.model), " --held-out"));
  }
  const ChosenPart part = choose_part(layout, request.part, request.data);
  result.part = part.name;
  const auto raw = open_part(
      part, {.is_companion = true, .skips_damage = request.skips_damage, .table = request.table},
      watch);
  match(result, raw, model, request, run);
  result.samples = SampleSet::all(result.samples.dataset);
  for (const std::string& note : layout.notes) watch.note(note);
  tell_notes(*result.samples.dataset, watch);
  if (run) tell_trained_on(result, *run, model, *raw, part.part);
  return result;
}

}  // namespace millrace
