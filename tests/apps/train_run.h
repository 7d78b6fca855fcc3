#pragma once
// Training runs of tests: what a run directory holds, read back.

#include "apps/images.h"
#include "apps/run_program.h"
#include "catch.h"
#include "io/scratch.h"

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace millrace::test {

using Arguments = std::vector<std::string>;
using Row = std::map<std::string, std::string>;  ///< column -> text

/// The one behind the other.
inline Arguments with(Arguments first, const Arguments& more) {
  first.insert(first.end(), more.begin(), more.end());
  return first;
}

/// Steps that are quick, and repeat to the bit.
inline Arguments quick_steps(int epochs, const Arguments& more = {}) {
  return with({"--model", "mlp:8", "--batch", "4", "--epochs", std::to_string(epochs)}, more);
}

/// metrics.csv of a run, a row an epoch. Every row must have all columns.
inline std::vector<Row> metrics(const std::filesystem::path& run_dir) {
  const auto fields_of = [](const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream in(line + ',');
    for (std::string field; std::getline(in, field, ',');) fields.push_back(field);
    return fields;
  };
  std::ifstream file(run_dir / "metrics.csv");
  std::string line;
  REQUIRE(std::getline(file, line));
  const std::vector<std::string> columns = fields_of(line);
  std::vector<Row> rows;
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = fields_of(line);
    REQUIRE(fields.size() == columns.size());
    rows.emplace_back();
    for (std::size_t i = 0; i < fields.size(); ++i) rows.back()[columns[i]] = fields[i];
  }
  return rows;
}

/// One column of it.
inline std::vector<std::string> column(const std::filesystem::path& run_dir,
                                       const std::string& name) {
  std::vector<std::string> values;
  for (const Row& row : metrics(run_dir)) values.push_back(row.at(name));
  return values;
}

/// The rows of metrics.csv less what the clock says.
inline std::vector<Row> figures(const std::filesystem::path& run_dir) {
  std::vector<Row> rows = metrics(run_dir);
  for (Row& row : rows) {
    row.erase("seconds");
    row.erase("images_per_s");
  }
  return rows;
}

/// `train DATA --run-dir RUN_DIR` with small steps that repeat, and `more`.
inline Outcome train(const std::filesystem::path& data, const std::filesystem::path& run_dir,
                     const Arguments& more, const RunOptions& options = {}) {
  return run(with({"train", data.string(), "--run-dir", run_dir.string(), "--threads", "2",
                   "--compute-threads", "1", "--memory-budget", "2GiB"},
                  more),
             options);
}

/// The same, of a run that must succeed.
inline Outcome trained(const std::filesystem::path& data, const std::filesystem::path& run_dir,
                       const Arguments& more) {
  const Outcome outcome = train(data, run_dir, more);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  return outcome;
}

}  // namespace millrace::test
