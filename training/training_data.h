#pragma once
// Opens the data of a spec: finds their kind, indexes them, holds out validation samples.

#include <millrace/io/class_names.h>
#include <millrace/io/find_data.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/training/session_watch.h>
#include <millrace/training/train_spec.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace {

struct StreamedData;  // streamed_data.h

/// What to train and to validate on.
struct TrainingData {
  SampleSet training, validation;          ///< validation may be empty
  std::string description;                 ///< "60,000 images in 10 classes"
  std::string validation_description;      ///< "10,000 of test/", "20 % of them (12,000), chosen by
                                           ///< seed 1", "none"
  std::vector<std::string> class_names{};  ///< those of the spec that no data set here needed
  /// Where the samples come from, if not from these sets, which then say what they are like; or
  /// null.
  std::shared_ptr<const StreamedData> stream{};
};

/// A part of a data set.
struct ChosenPart {
  DataKind kind = DataKind::class_folders;
  DataPart part;
  std::string name;  ///< "train", "validation", "test", or "all" of a data set without parts
};

/// The part that `word` names or, where it is empty, the one that training validates on: that for
/// validation, else that for tests, else all of `data`. Throws as part_of().
[[nodiscard]] ChosenPart choose_part(const DataLayout& layout, const std::string& word,
                                     const std::string& data);

/// Throws Error as find_data() and open_datasets() do, and if the sides do not go together;
/// Stopped.
[[nodiscard]] TrainingData open_training_data(const TrainSpec& spec,
                                              const SessionWatch& watch = {});

/// The samples under the classes of a model that they are to train further, all of which they must
/// have. `options` are for messages. Throws UsageError as match_classes() throws
/// Error.
void match_model(TrainingData& data, const DataSpec& options, const KnownClasses& model);

/// One part, with classes as it has them.
[[nodiscard]] std::shared_ptr<const Dataset> open_part(const ChosenPart& part,
                                                       const OpenOptions& options,
                                                       const SessionWatch& watch);

/// What the headers of images say, from a sample of at most 64 files spread over the data set.
struct Survey {
  bool same_size = false;  ///< all looked at have one size
  int height = 0, width = 0;
  bool all_grey = false;
};
/// With `upright` sizes are those of images turned as EXIF says.
[[nodiscard]] Survey survey_images(const Dataset& dataset, bool upright);

/// Reports the notes of a data set, and the files that could not be read.
void tell_notes(const Dataset& dataset, const SessionWatch& watch);

/// "images", or "rows" for tables; "image" or "row" where `count` is 1.
[[nodiscard]] std::string unit_of(const Dataset& dataset, std::uint64_t count);

}  // namespace millrace
