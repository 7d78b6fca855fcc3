#pragma once
// The folder that holds all there is to know of a run: config.ini, metrics.csv, model.safetensors,
// report.json, trace.json.

#include <millrace/nn/model.h>
#include <millrace/nodes/logger.h>
#include <millrace/pipeline/report.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace millrace::apps {

/// "runs/20260131-154500".
[[nodiscard]] std::filesystem::path default_run_directory();

class RunDirectory {
 public:
  /// Makes the folder. Throws Error naming it: it holds a run already (unless `overwrite`, which
  /// removes that run's files), or it cannot be written.
  RunDirectory(std::filesystem::path path, bool overwrite);

  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  [[nodiscard]] std::filesystem::path model_file() const { return path_ / "model.safetensors"; }
  [[nodiscard]] std::filesystem::path trace_file() const { return path_ / "trace.json"; }

  void write_config(const std::string& recipe) const;
  /// Appends a line to metrics.csv and writes the model. Throws Error (disk).
  void write_epoch(const EpochRecord& record, const nn::Model& model);
  void write_report(const Report& report) const;

 private:
  std::filesystem::path path_;
  std::ofstream metrics_;
};

}  // namespace millrace::apps
