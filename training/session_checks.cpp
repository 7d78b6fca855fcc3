#include <millrace/training/session_checks.h>

#include <millrace/core/error.h>
#include <millrace/io/run_marker.h>
#include <millrace/training/find_model.h>
#include <millrace/training/options/options.h>
#include <millrace/training/training.h>
#include <millrace/training/transfer.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace millrace {
namespace {

namespace fs = std::filesystem;

bool lies_in(const std::string& file, const fs::path& folder) {
  return !file.empty() && !folder.empty() &&
         fs::weakly_canonical(file).parent_path() == fs::weakly_canonical(folder);
}

}  // namespace

void check_replaced(const TrainSpec& o, bool goes_on) {
  const ModelSpec& m = o.model;
  const std::string weights = m.weights.empty() || goes_on ? "" : weights_file(m.weights).string();
  for (const std::string& file : {weights, is_model_description(m.name) ? m.name : std::string()}) {
    if (!o.run.overwrite || !lies_in(file, o.run.directory)) continue;
    throw UsageError(concat("--overwrite would replace ", file,
                            ", with which this run begins; choose another --run-dir"));
  }
}

void check_csv_log(const TrainSpec& o) {
  const fs::path& csv = o.run.csv_log;
  if (csv.empty()) return;
  if (o.run.directory.empty()) throw UsageError("--csv-log needs a run directory");
  const bool is_ours =
      lies_in(csv.string(), o.run.directory) &&
      std::find(kRunFiles.begin(), kRunFiles.end(), csv.filename()) != kRunFiles.end();
  if (is_ours)
    throw UsageError(concat("--csv-log ", csv.string(), ": the run writes that file itself"));
  const bool is_new = !fs::exists(csv);
  if (!std::ofstream(csv, std::ios::app)) {
    throw Error(concat(csv.string(), ": cannot be written; choose another --csv-log"));
  }
  std::error_code ignored;
  if (is_new) fs::remove(csv, ignored);
}

void check_features(const Training& t) {
  if (!t.features.front || !t.features.in_file || !t.spec.run.directory.empty()) return;
  throw UsageError("--cache-features file is of a run that has a directory");
}

void check_rows(TrainSpec& spec) {
  TrainSpec usual;
  OptionList rows, usually;
  list(rows, spec);
  list(usually, usual);
  rows.check();
  for (const auto& row : rows.options()) {
    const Option& by_itself = *usually.find(row->name).option;
    if (row->write() == by_itself.write()) continue;
    for (const auto& [other, fits] : row->needed) {
      if (!fits()) {
        throw UsageError(concat("--", by_itself.shown_name(), " has no effect without ", other));
      }
    }
  }
}

}  // namespace millrace
