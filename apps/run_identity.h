#pragma once
// What must be the same for a run to be continued: the model, the data and what the order of
// samples depends on.

#include "apps/data.h"
#include "apps/train_options.h"

#include <millrace/nn/model.h>
#include <millrace/nodes/snapshot.h>

#include <map>
#include <string>

namespace millrace::apps {

/// A number that differs when samples came, went or changed their class.
[[nodiscard]] std::string fingerprint(const SampleSet& set);

/// The fingerprints of a run's samples as JSON, for data.json in its directory, and whether those
/// of validation are a share that was held out of one data set.
[[nodiscard]] std::string data_record(const TrainingData& data);

/// Part of a checkpoint. restore() throws Error where the run that is continued is another one; it
/// names the option or what changed.
class RunIdentity final : public Saved {
 public:
  RunIdentity(const TrainOptions& options, const TrainingData& data, const nn::Model& model);
  void save(Checkpoint& checkpoint) const override;
  void restore(const Checkpoint& checkpoint) override;

 private:
  void check_model(const std::string& text) const;

  std::map<std::string, std::string> options_, data_;
  std::string model_;
};

}  // namespace millrace::apps
