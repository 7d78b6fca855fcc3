#include <millrace/nodes/monitor.h>

#include <optional>
#include <utility>
#include <vector>

namespace millrace {
namespace {

nn::Direction direction_of(const Monitor& monitor) {
  return monitor.direction == nn::Direction::automatic ? nn::direction_of(monitor.name)
                                                       : monitor.direction;
}

double value_of(const Monitor& monitor, const EpochRecord& epoch) {
  if (const auto value = epoch.value(monitor.name)) return *value;
  std::string known = "loss, accuracy";
  if (epoch.value("val_loss")) known += ", val_loss, val_accuracy";
  for (const auto& [name, number] : epoch.extra) known += ", " + name;
  throw Error(
      concat("epoch ", epoch.epoch + 1, " has no '", monitor.name, "' to monitor; it has ", known));
}

void save_best(const std::string& key, const std::optional<double>& best, Checkpoint& checkpoint) {
  checkpoint.set(key + ".has_best", best.has_value());
  checkpoint.set(key + ".best", best.value_or(0));
}

std::optional<double> best_of(const std::string& key, const Checkpoint& checkpoint) {
  if (!checkpoint.get<bool>(key + ".has_best")) return std::nullopt;
  return checkpoint.get<double>(key + ".best");
}

class EarlyStopper final : public Callback {
 public:
  EarlyStopper(const Monitor& monitor, const nn::EarlyStoppingOptions& options, bool restores_best,
               const nn::Model& model)
      : monitor_(monitor), decision_(options), restores_best_(restores_best) {
    if (restores_best) {
      elements_ = static_cast<std::size_t>(nn::arena_elements(nn::parameters(thawed(model))));
    }
  }

  void on_epoch(EpochRecord& epoch, TrainingState& state) override {
    const auto [improved, stop] = decision_.update(epoch.epoch, value_of(monitor_, epoch));
    if (restores_best_ && improved) best_weights_ = state.weights();
    if (!stop) return;
    const auto& [best, best_epoch, wait] = decision_.state();
    state.finish(concat("early stopping after epoch ", epoch.epoch + 1, ": ", monitor_.name,
                        " was best (", best.value_or(0), ") in epoch ", best_epoch + 1));
  }
  void on_end(TrainingState& state) override {
    if (!best_weights_.empty()) state.set_weights(best_weights_);
  }
  void save(Checkpoint& checkpoint) const override {
    save_best("early_stopping", decision_.state().best, checkpoint);
    checkpoint.set("early_stopping.best_epoch", decision_.state().best_epoch);
    checkpoint.set("early_stopping.wait", decision_.state().wait);
    if (!best_weights_.empty()) checkpoint.arrays["early_stopping.weights"] = best_weights_;
  }
  void restore(const Checkpoint& checkpoint) override {
    decision_.restore({.best = best_of("early_stopping", checkpoint),
                       .best_epoch = checkpoint.get<std::uint32_t>("early_stopping.best_epoch"),
                       .wait = checkpoint.get<std::uint32_t>("early_stopping.wait")});
    const auto weights = checkpoint.arrays.find("early_stopping.weights");
    if (weights == checkpoint.arrays.end()) return;
    best_weights_ = checkpoint.array("early_stopping.weights", elements_);
  }
  [[nodiscard]] Bytes array_bytes() const override { return {elements_ * sizeof(float)}; }

 private:
  Monitor monitor_;
  nn::EarlyStopping decision_;
  bool restores_best_;
  std::size_t elements_ = 0;
  std::vector<float> best_weights_;
};

class PlateauRate final : public Callback {
 public:
  PlateauRate(const Monitor& monitor, const nn::ReduceOnPlateauOptions& options)
      : monitor_(monitor), decision_(options) {}

  void on_epoch(EpochRecord& epoch, TrainingState& state) override {
    if (state.rate <= 0) return;  // no step was taken yet
    const double rate = decision_.update(value_of(monitor_, epoch), state.rate);
    if (rate != state.rate) state.rate_factor *= rate / state.rate;
  }
  void save(Checkpoint& checkpoint) const override {
    save_best("plateau", decision_.state().best, checkpoint);
    checkpoint.set("plateau.wait", decision_.state().wait);
    checkpoint.set("plateau.cooldown", decision_.state().cooldown);
  }
  void restore(const Checkpoint& checkpoint) override {
    decision_.restore({.best = best_of("plateau", checkpoint),
                       .wait = checkpoint.get<std::uint32_t>("plateau.wait"),
                       .cooldown = checkpoint.get<std::uint32_t>("plateau.cooldown")});
  }

 private:
  Monitor monitor_;
  nn::ReduceOnPlateau decision_;
};

class BestEpoch final : public Callback {
 public:
  explicit BestEpoch(const Monitor& monitor)
      : monitor_(monitor), direction_(direction_of(monitor)) {}

  void on_epoch(EpochRecord& epoch, TrainingState&) override {
    const double value = value_of(monitor_, epoch);
    epoch.is_best = nn::improved(value, best_, direction_);
    if (epoch.is_best) best_ = value;
  }
  void save(Checkpoint& checkpoint) const override { save_best("best", best_, checkpoint); }
  void restore(const Checkpoint& checkpoint) override { best_ = best_of("best", checkpoint); }

 private:
  Monitor monitor_;
  nn::Direction direction_;
  std::optional<double> best_;
};

}  // namespace

std::shared_ptr<Callback> early_stopping(const Monitor& monitor, nn::EarlyStoppingOptions options,
                                         bool restores_best, const nn::Model& model) {
  options.direction = direction_of(monitor);
  nn::validate(options);
  return std::make_shared<EarlyStopper>(monitor, options, restores_best, model);
}

std::shared_ptr<Callback> reduce_on_plateau(const Monitor& monitor,
                                            nn::ReduceOnPlateauOptions options) {
  options.direction = direction_of(monitor);
  nn::validate(options);
  return std::make_shared<PlateauRate>(monitor, options);
}

std::shared_ptr<Callback> track_best(const Monitor& monitor) {
  return std::make_shared<BestEpoch>(monitor);
}

}  // namespace millrace
