#pragma once
// What must be the same for a run to be continued: the model, the data and what the order of
// samples depends on.

#include "apps/data.h"

#include <millrace/nn/model.h>
#include <millrace/training/snapshot.h>
#include <millrace/training/train_spec.h>

#include <map>
#include <string>

namespace millrace::apps {

/// Part of a checkpoint. restore() throws Error where the run that is continued is another one; it
/// names the option or what changed.
class RunIdentity final : public Saved {
 public:
  RunIdentity(const TrainSpec& options, const TrainingData& data, const nn::Model& model);
  void save(Checkpoint& checkpoint) const override;
  void restore(const Checkpoint& checkpoint) override;

 private:
  void check_average(const Checkpoint& checkpoint) const;
  void check_model(const std::string& text) const;

  std::map<std::string, std::string> options_, data_;
  std::string ema_;  // empty: none
  std::string model_;
};

}  // namespace millrace::apps
