#pragma once
// Whether what a run measures of its validation samples is defined for them: of targets that are
// hardly known there, or of classes of which there is one alone, some figures are not.

#include <millrace/nn/model.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/training/train_spec.h>

#include <string>
#include <vector>

namespace millrace {

/// Lines for the user on the measures that are not defined, each of which is shown as "-". `where`
/// names the samples in messages. Throws Error if one of them is watched, or if no target is known
/// of any sample.
[[nodiscard]] std::vector<std::string> undefined_measures(const CallbackSpec& spec,
                                                          const SampleSet& validation,
                                                          const nn::Model& model,
                                                          const std::string& where);

}  // namespace millrace
