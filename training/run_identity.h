#pragma once
// What must be the same for a run to be continued: the model, the data and what the order of
// samples depends on.

#include <millrace/nn/model.h>
#include <millrace/training/snapshot.h>
#include <millrace/training/train_spec.h>

#include <map>
#include <optional>
#include <string>

namespace millrace {

/// Part of a checkpoint.
class RunIdentity final : public Saved {
 public:
  /// What an option says, and what runs had before there was such an option.
  struct Value {
    std::string now, usual;
  };
  /// By the names of options on which the order of samples or what a checkpoint holds depends.
  using Options = std::map<std::string, Value>;

  /// `average`: the momentum of an average of the weights (the option --ema), where one is kept.
  /// `training` and `validation` are fingerprints of the samples (sample_prints.h).
  RunIdentity(Options options, const std::optional<double>& average, std::string training,
              std::string validation, const nn::Model& model);
  void save(Checkpoint& checkpoint) const override;
  void restore(const Checkpoint& checkpoint) override { check(checkpoint); }
  /// Throws Error if the run that is continued is another one; it names the option or what
  /// changed. Needs the checkpoint's values alone.
  void check(const Checkpoint& checkpoint) const;

 private:
  void check_average(const Checkpoint& checkpoint) const;
  void check_model(const std::string& text) const;

  Options options_;
  std::map<std::string, std::string> data_;
  std::string ema_;  // empty: none
  std::string model_;
};

/// The options with which a run must resume.
[[nodiscard]] RunIdentity::Options kept_options(const TrainSpec& spec);

}  // namespace millrace
