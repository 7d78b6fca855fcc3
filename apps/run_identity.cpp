#include "apps/run_identity.h"

#include <millrace/core/error.h>
#include <millrace/core/json_text.h>
#include <millrace/nn/model_json.h>

#include <cstdint>

namespace millrace::apps {
namespace {

/// FNV-1a: names of files are not secrets, and chance collisions at 64 bits do not matter.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) step(static_cast<unsigned char>(c));
    step(0);
  }
  void add(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) step(static_cast<unsigned char>(number >> (8 * i)));
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void step(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

std::string_view last_part(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0: all of it
}

}  // namespace

std::string fingerprint(const SampleSet& set) {
  if (set.size() == 0) return "no samples";
  const Dataset& data = *set.dataset;
  Hash hash;
  for (const std::string& name : data.classes()) hash.add(name);
  for (const std::uint32_t sample : set.samples) {
    hash.add(last_part(data.name(sample)));  // a data set may be moved
    hash.add(static_cast<std::uint64_t>(data.label(sample)));
  }
  return concat(set.size(), " samples, ", hash.value());
}

std::string data_record(const TrainingData& data) {
  const bool is_share =
      data.validation.size() > 0 && data.validation.dataset == data.training.dataset;
  return concat("{\"training\": ", json_quoted(fingerprint(data.training)),
                ",\n \"validation\": ", json_quoted(fingerprint(data.validation)),
                ",\n \"held_out\": ", is_share ? "true" : "false", "}\n");
}

RunIdentity::RunIdentity(const TrainOptions& o, const TrainingData& data, const nn::Model& model)
    : options_{{"batch", concat(o.batch)},
               {"steps-per-epoch", concat(o.steps_per_epoch)},
               {"limit-batches", concat(o.limit_batches)},
               {"replay", concat(o.replay)},
               {"precision", o.precision.empty() ? "fp32" : o.precision},
               {"seed", concat(o.seed)},
               {"no-shuffle", o.no_shuffle ? "true" : "false"},
               {"optimizer", o.optimizer}},
      data_{{"training", fingerprint(data.training)}, {"validation", fingerprint(data.validation)}},
      model_(nn::to_json(model)) {}

void RunIdentity::save(Checkpoint& checkpoint) const {
  for (const auto& [name, value] : options_) checkpoint.set("option." + name, value);
  for (const auto& [name, value] : data_) checkpoint.set("data." + name, value);
  checkpoint.set("model", model_);
}

void RunIdentity::restore(const Checkpoint& checkpoint) {
  for (const auto& [name, value] : options_) {
    const auto before = checkpoint.get<std::string>("option." + name);
    if (before != value) {
      throw Error(concat("the run was begun with --", name, ' ', before, ", not ", value,
                         "; go on with the same"));
    }
  }
  for (const auto& [name, value] : data_) {
    const auto before = checkpoint.get<std::string>("data." + name);
    if (before != value) {
      const auto count = [](const std::string& text) { return text.substr(0, text.find(',')); };
      throw Error(concat("the ", name, " data changed since the run began (then ", count(before),
                         ", now ", count(value),
                         count(before) == count(value) ? " of other names or classes" : "",
                         "); begin a new run"));
    }
  }
  check_model(checkpoint.get<std::string>("model"));
}

// Runs of older programs know nothing of their tables, and divided columns by 255 where a model's
// description said nothing of it.
void RunIdentity::check_model(const std::string& text) const {
  if (text == model_) return;
  const nn::Model before = nn::model_from_json(text);
  nn::Model now = nn::model_from_json(model_);
  if (before.table == TableForm{}) now.table = {};
  if (now == before) return;
  if (now.table.columns != before.table.columns || now.table.label != before.table.label) {
    throw Error("the columns of the table are not those that the run began with; begin a new run");
  }
  now.preprocessing.scale = before.preprocessing.scale;
  if (now == before) {
    throw Error(concat("the run began with numbers that were multiplied by ",
                       before.preprocessing.scale, "; go on with --scale ",
                       json_number(before.preprocessing.scale), ", or begin a new run"));
  }
  throw Error("the model is not the one that the run began with; begin a new run");
}

}  // namespace millrace::apps
