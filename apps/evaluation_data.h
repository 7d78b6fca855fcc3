#pragma once
// The samples that `evaluate` measures a model on, and what they were to the run that trained it.

#include "apps/data.h"

#include <millrace/nn/model.h>
#include <millrace/training/train_spec.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::apps {

struct EvaluationRequest {
  std::string model;      ///< a run directory, or a model file, in a run directory or not
  std::string data;       ///< empty with `held_out`: what the run was begun with
  std::string part;       ///< as choose_part() takes it
  bool held_out = false;  ///< only the share that the run kept back of its data
  std::vector<std::string> class_names;  ///< for numbers, or empty
  CsvOptions table{};                    ///< as the options say and the model's data were
};

struct EvaluationData {
  SampleSet samples;               ///< under the model's classes
  std::vector<std::string> names;  ///< of the classes
  std::string data;                ///< as somebody named it
  std::string part;                ///< ChosenPart::name, or "held-out"
  /// How many of the samples the model was trained on, where the run tells.
  std::optional<std::uint32_t> trained_on;
  std::string warning;           ///< what the figures are worth; empty if nothing
  std::optional<TrainSpec> run;  ///< with held_out: how the run was begun
};

/// Opens the samples and matches their classes with the model's. Prints the notes of the data set.
/// Throws Error: as find_data() and match_classes(); with `held_out` where the model lies in no run
/// directory, the run kept nothing back, or its data are not what they were; Stopped.
[[nodiscard]] EvaluationData open_evaluation_data(const EvaluationRequest& request,
                                                  const nn::Model& model, Show show,
                                                  std::stop_token stop);

/// {"part": "held-out", "samples": 4, "trained_on": 0, "classes_without_samples": []}; null where
/// it is not known how many were trained on.
[[nodiscard]] nlohmann::ordered_json measured(const EvaluationData& data, std::int64_t samples,
                                              const std::vector<std::string>& missing_classes);

}  // namespace millrace::apps
