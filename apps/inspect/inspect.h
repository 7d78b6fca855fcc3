#pragma once
// The subjects of `millrace inspect`.

#include "apps/common/progress.h"

#include <millrace/io/decode.h>
#include <millrace/training/options/options.h>

#include <cstdint>
#include <stop_token>
#include <string>

namespace millrace::apps {

struct InspectOptions {
  std::string what;  ///< "devices", "data" or "model"
  std::string path;
  bool full = false;         ///< data: decode every image
  std::string against;       ///< model: another one to compare with
  std::int64_t batch = 32;   ///< model: of training
  std::string input;         ///< model of the zoo: HxWxC or F
  std::int64_t outputs = 0;  ///< model of the zoo
  nn::OptimizerOptions optimizer{.kind = nn::OptimizerKind::adam};
  int threads = 0;
  std::uint64_t max_image_pixels = kMaxImagePixels;  ///< data
  bool quiet = false;
  bool json = false;  ///< data: one object instead of text
  bool dot = false;   ///< model: a drawing instead of text
  CsvOptions table;
};

/// Prints what there is to compute with.
void inspect_devices();
/// Prints classes, sizes and files that cannot be read. Throws Error if there are any of those, or
/// if this is no data set; Stopped.
void inspect_data(const InspectOptions& options, Show show, std::stop_token stop);
/// Prints which column of a table is the label and what the features are called.
void print_columns(const TableForm& table);
/// Prints layers, memory, preprocessing, classes and columns. Throws Error (not a model), Stopped.
void inspect_model(const InspectOptions& options, const std::stop_token& stop);
/// Prints what the model and the one of `against` cost, steps measured. Throws Error, Stopped.
void inspect_against(const InspectOptions& options, std::stop_token stop);

}  // namespace millrace::apps
