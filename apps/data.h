#pragma once
// Opens the DATA of a command: finds what it is, indexes it, splits off validation samples.

#include "apps/progress.h"

#include <millrace/io/find_data.h>
#include <millrace/nodes/directory_reader.h>

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::apps {

/// What to train and to validate on.
struct TrainingData {
  SampleSet training, validation;      ///< validation may be empty
  std::string description;             ///< "60,000 pictures in 10 classes"
  std::string validation_description;  ///< "10,000 of test/", "20 % of them (12,000), drawn by seed
                                       ///< 1", "none"
};

struct DataOptions {
  std::string data;
  std::string validation;  ///< another data set, or empty
  double validation_share = 0.2;
  std::uint64_t seed = 1;
  CsvOptions table{};
};

/// Throws Error as find_data() and open_datasets() do, and if both sides have other classes;
/// Stopped.
[[nodiscard]] TrainingData open_training_data(const DataOptions& options, Show show,
                                              std::stop_token stop);

/// One data set, for evaluate. `part` is "train", "validation" (val/, test/ or the like) or empty:
/// the validation part where `data` has one. `classes` are the names for labels that have none of
/// their own (IDX, CSV). `table` says how rows are to be read. Throws Error where there is no such
/// part.
[[nodiscard]] std::shared_ptr<const Dataset> open_evaluation_data(const std::string& data,
                                                                  const std::string& part,
                                                                  std::vector<std::string> classes,
                                                                  const CsvOptions& table,
                                                                  Show show, std::stop_token stop);

/// What the headers of pictures say, from a sample of at most 64 files spread over the data set.
struct Survey {
  bool same_size = false;  ///< all looked at have one size
  int height = 0, width = 0;
  bool all_grey = false;
};
/// With `upright` sizes are those of pictures turned as EXIF says.
[[nodiscard]] Survey survey_pictures(const Dataset& dataset, bool upright);

/// "pictures", or "rows" for tables; "picture" or "row" where `count` is 1.
[[nodiscard]] std::string unit_of(const Dataset& dataset, std::uint64_t count);

}  // namespace millrace::apps
