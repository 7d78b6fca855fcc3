#pragma once
// The samples that a model is measured on, and whether its run was trained on them.

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
  bool held_out = false;  ///< only the share of its data that the run held out
  std::vector<std::string> class_names;  ///< for numbers, or empty
  CsvOptions table{};                    ///< as the options say and the model's data were
  bool skips_damage = false;             ///< OpenOptions::skips_damage
};

struct EvaluationData {
  SampleSet samples;               ///< under the model's classes
  std::vector<std::string> names;  ///< of the classes, or of the targets
  std::string data;                ///< as it was named
  std::string part;                ///< ChosenPart::name, or "held-out"
  /// How many of the samples the model was trained on, if the run records it.
  std::optional<std::uint32_t> trained_on;
  std::string warning;           ///< what the figures are worth; empty if nothing
  std::optional<TrainSpec> run;  ///< with held_out: how the run was begun
};

/// Opens the samples and matches their classes with the model's. The watch gets the notes
/// of the data set.
/// Throws Error: as find_data() and match_classes(); with `held_out` if the model is not in a run
/// directory, the run held nothing out, or its data have changed; Stopped.
[[nodiscard]] EvaluationData open_evaluation_data(const EvaluationRequest& request,
                                                  const nn::Model& model,
                                                  const SessionWatch& watch = {});

}  // namespace millrace
