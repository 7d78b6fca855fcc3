#pragma once
// The samples that a model is measured on, and what they were to the run that trained it.

#include <millrace/nn/model.h>
#include <millrace/training/train_spec.h>
#include <millrace/training/training_data.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

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
  std::vector<std::string> names;  ///< of the classes, or of the targets
  std::string data;                ///< as somebody named it
  std::string part;                ///< ChosenPart::name, or "held-out"
  /// How many of the samples the model was trained on, where the run tells.
  std::optional<std::uint32_t> trained_on;
  std::string warning;           ///< what the figures are worth; empty if nothing
  std::optional<TrainSpec> run;  ///< with held_out: how the run was begun
};

/// Opens the samples and matches their classes with the model's. The watch is told the notes
/// of the data set.
/// Throws Error: as find_data() and match_classes(); with `held_out` where the model lies in no run
/// directory, the run kept nothing back, or its data are not what they were; Stopped.
[[nodiscard]] EvaluationData open_evaluation_data(const EvaluationRequest& request,
                                                  const nn::Model& model,
                                                  const SessionWatch& watch = {});

}  // namespace millrace
