#pragma once
// What `bench compute` and `bench train` share: options, repeated measurements and how they are
// reported.

#include "apps/bench/bench_watch.h"
#include "apps/common/command_line.h"

#include <millrace/core/shape.h>
#include <millrace/nn/engine.h>
#include <millrace/training/options/options.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::apps {

struct BenchOptions {
  std::string subject;            ///< compute: MODEL; train: DATA or empty
  CsvOptions table{};             ///< train: columns of DATA
  std::string model;              ///< train: as `millrace train --model`
  std::string input;              ///< HxWxC or F of synthetic samples
  std::int64_t classes = 10;      ///< of synthetic samples
  std::uint32_t samples = 1024;   ///< of synthetic data
  std::optional<ImageSize> size;  ///< train: of images of DATA
  std::vector<std::int64_t> batches{32};
  std::string devices = "cpu";  ///< "cpu,gpu"
  nn::OptimizerOptions optimizer{.kind = nn::OptimizerKind::adam};
  int repeats = 5;
  int warmup = 1;
  int steps = 0;                    ///< compute: steps of a repeat; 0: as many as take 0.2 s
  std::uint32_t epochs = 1;         ///< train: of a repeat
  std::uint32_t limit_batches = 0;  ///< train: batches an epoch
  std::uint32_t replay = 0;         ///< train: feed N batches over and over; 0: read all
  bool resident = false;            ///< train: samples stay in the GPU's memory
  AugmentOptions augmentation;
  std::uint64_t seed = 1;
  bool operations = false;  ///< compute: time each operation
  bool masks = false;       ///< compute: time steps with the masks of pruning
  std::string json;         ///< a file, or "-"
  MachineSpec machine;

  [[nodiscard]] bool prints_text() const { return json != "-"; }
};

int bench_augment(const std::vector<std::string>& arguments);
int bench_compute(const std::vector<std::string>& arguments);
int bench_runtime(const std::vector<std::string>& arguments);
int bench_train(const std::vector<std::string>& arguments);

/// Options of both: sweep, repeats, devices, synthetic samples, JSON.
void list_common(OptionList& line, BenchOptions& options);
/// Throws UsageError that names the command and the option.
void check_and_choose(const char* command, BenchOptions& options);

/// One of the devices to compare.
struct BenchDevice {
  std::string name;                          ///< "cpu", "gpu"
  std::shared_ptr<const nn::Engine> engine;  ///< null if this build has none
  std::string why_not;                       ///< then
};
/// Those of --devices. Throws UsageError for other words, Error where there is an engine for none.
/// The watch outlives their engines' use, and may stop it.
[[nodiscard]] std::vector<BenchDevice> bench_devices(const char* command, const BenchOptions& o,
                                                     BenchWatch& watch);

/// Of repeated measurements.
struct Spread {
  double median = 0, min = 0, max = 0;
};
[[nodiscard]] Spread spread_of(std::vector<double> values);
[[nodiscard]] std::string text_of(const Spread& spread, int digits);  ///< "12.3 (12.1-12.9)"
[[nodiscard]] nlohmann::ordered_json json_of(const Spread& spread);
/// Its name, its engine or why there is none, and an empty list "batches".
[[nodiscard]] nlohmann::ordered_json json_of(const BenchDevice& device);

/// A line of a comparison of devices: a cell a device, "no engine" where there is none.
struct ComparedRow {
  std::string title;
  std::vector<std::string> cells;
};
/// Prints titles and a column a device, and below why a device has none.
void print_comparison(const std::vector<BenchDevice>& devices,
                      const std::vector<ComparedRow>& rows);

/// Name of the processor, cores, memory, versions.
[[nodiscard]] nlohmann::ordered_json machine_facts(const BenchOptions& options);
/// Writes to --json FILE, whole or not at all, or to standard output.
void write_json(const BenchOptions& options, const nlohmann::ordered_json& result);

}  // namespace millrace::apps
