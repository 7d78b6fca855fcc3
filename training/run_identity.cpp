#include <millrace/training/run_identity.h>

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>
#include <millrace/nn/model_json.h>
#include <millrace/training/options/options.h>
#include <millrace/training/sample_prints.h>

#include <utility>

namespace millrace {
namespace {

constexpr const char* kEma = "option.ema";

}  // namespace

RunIdentity::RunIdentity(Options options, const std::optional<double>& average,
                         std::string training, std::string validation, const nn::Model& model)
    : options_(std::move(options)),
      data_{{"training", std::move(training)}, {"validation", std::move(validation)}},
      ema_(average ? json_number(*average) : std::string()),
      model_(nn::to_json(model)) {}

void RunIdentity::save(Checkpoint& checkpoint) const {
  for (const auto& [name, value] : options_) checkpoint.set("option." + name, value.now);
  for (const auto& [name, value] : data_) checkpoint.set("data." + name, value);
  if (!ema_.empty()) checkpoint.set(kEma, ema_);
  checkpoint.set("model", model_);
}

void RunIdentity::check(const Checkpoint& checkpoint) const {
  for (const auto& [name, value] : options_) {
    const std::string key = "option." + name;
    const std::string before = checkpoint.has(key) ? checkpoint.get<std::string>(key) : value.usual;
    if (before != value.now) {
      throw Error(concat("the run was started with --", name, ' ', before, ", not ", value.now,
                         "; resume with the same"));
    }
  }
  check_average(checkpoint);
  for (const auto& [name, value] : data_) {
    const auto before = checkpoint.get<std::string>("data." + name);
    if (before != value) {
      throw Error(concat("the ", name, " data changed since the run began (then ", count_in(before),
                         ", now ", count_in(value),
                         count_in(before) == count_in(value) ? " of other names or classes" : "",
                         "); begin a new run"));
    }
  }
  check_model(checkpoint.get<std::string>("model"));
}

void RunIdentity::check_average(const Checkpoint& checkpoint) const {
  const std::string before =
      checkpoint.has(kEma) ? checkpoint.get<std::string>(kEma) : std::string();
  if (before == ema_) return;
  if (before.empty()) {
    throw Error(
        "the run was started without an average of its weights, which cannot be added to it; leave "
        "--ema out, or begin a new run from its weights");
  }
  throw Error(concat("the run was started with --ema ", before,
                     ema_.empty() ? ", not without" : ", not " + ema_, "; resume with the same"));
}

// Runs of older programs know nothing of their tables, and divided columns by 255 where a model's
// description said nothing of it.
void RunIdentity::check_model(const std::string& text) const {
  if (text == model_) return;
  const nn::Model before = nn::model_from_json(text);
  nn::Model now = nn::model_from_json(model_);
  const bool are_same_columns =
      now.table.columns == before.table.columns && now.table.label == before.table.label;
  if (before.table != TableForm{} && !are_same_columns) {
    throw Error("the columns of the table are not those that the run began with; begin a new run");
  }
  if (before.targets != now.targets) {
    throw Error("the targets are not those that the run began with; begin a new run");
  }
  now.table = before.table;  // what else it tells is how the file is written
  if (now == before) return;
  now.preprocessing.scale = before.preprocessing.scale;
  if (now == before) {
    throw Error(concat("the run began with numbers that were multiplied by ",
                       before.preprocessing.scale, "; resume with --scale ",
                       json_number(before.preprocessing.scale), ", or begin a new run"));
  }
  throw Error("the model is not the one that the run began with; begin a new run");
}

RunIdentity::Options kept_options(const TrainSpec& spec) {
  TrainSpec now = spec, usual;
  usual.machine.precision = nn::Precision::fp32;
  OptionList options, usually;
  list(options, now);
  list(usually, usual);
  // A flag that is on by itself goes by its form with "no-".
  const auto said = [](const Option& option, const Option& by_itself) {
    const bool is_turned = option.is_flag && by_itself.write() == "true";
    return is_turned ? option.write() == "true" ? std::string("false") : std::string("true")
                     : option.write();
  };
  RunIdentity::Options kept;
  for (const auto& option : options.options()) {
    if (!option->is_kept) continue;
    const Option& by_itself = *usually.find(option->name).option;
    kept[by_itself.shown_name()] = {said(*option, by_itself), said(by_itself, by_itself)};
  }
  return kept;
}

}  // namespace millrace
