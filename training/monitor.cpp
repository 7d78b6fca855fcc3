#include <millrace/training/monitor.h>

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

namespace millrace {
namespace {

nn::Direction direction_of(const Monitor& monitor) {
  return monitor.direction == nn::Direction::automatic ? nn::direction_of(monitor.name)
                                                       : monitor.direction;
}

/// Of outputs that are no numbers the loss is none either; else a measure that is none lacks
/// samples that it could be taken of, and nothing can be better or worse.
void check_is_defined(const Monitor& monitor, const EpochRecord& epoch, double value) {
  const bool is_measure = monitor.name.starts_with("val_") && monitor.name != "val_loss";
  if (!std::isnan(value) || !is_measure || !epoch.validation) return;
  if (!std::isfinite(epoch.validation->mean_loss())) return;
  throw Error(
      concat("epoch ", epoch.epoch + 1, ": '", monitor.name, "' is to be watched and is ",
             "not defined for the validation samples; monitor another figure, as val_loss"));
}

double value_of(const Monitor& monitor, const EpochRecord& epoch) {
  if (const auto value = epoch.value(monitor.name)) {
    check_is_defined(monitor, epoch, *value);
    return *value;
  }
  std::string known = "loss";
  for (const char* name : {"accuracy", "val_loss", "val_accuracy"}) {
    if (epoch.value(name)) known += concat(", ", name);
  }
  for (const auto& [name, number] : epoch.extra) known += ", " + name;
  throw Error(
      concat("epoch ", epoch.epoch + 1, " has no '", monitor.name, "' to monitor; it has ", known));
}

/// What callbacks call theirs in a checkpoint.
constexpr const char* kBest = "best";
constexpr const char* kEarlyStopping = "early_stopping";
constexpr const char* kPlateau = "plateau";

/// How the reason of a run begins that early stopping ended.
constexpr const char* kEarlyStop = "early stopping after epoch ";

void set_watched(const std::string& key, const Monitor& monitor, Checkpoint& checkpoint) {
  checkpoint.set(key + ".monitor", monitor.name);
  checkpoint.set(key + ".direction", nn::to_string(direction_of(monitor)));
}

std::optional<Monitor> watched(const std::string& key, const Checkpoint& checkpoint) {
  if (!checkpoint.has(key + ".monitor")) return std::nullopt;
  return Monitor{checkpoint.get<std::string>(key + ".monitor"),
                 nn::direction_named(checkpoint.get<std::string>(key + ".direction"))};
}

void save_best(const std::string& key, const Monitor& monitor, const std::optional<double>& best,
               Checkpoint& checkpoint) {
  set_watched(key, monitor, checkpoint);
  checkpoint.set(key + ".has_best", best.has_value());
  checkpoint.set(key + ".best", best.value_or(0));
}

/// Whether the checkpoint's best is one of this callback: it had one, and watched the same.
bool goes_on(const std::string& key, const Monitor& monitor, const Checkpoint& checkpoint) {
  if (!checkpoint.has(key + ".has_best")) return false;
  const std::optional<Monitor> before = watched(key, checkpoint);
  return !before || is_same(*before, monitor);
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
    if (restores_best_ && improved) best_weights_ = state.evaluated_weights();
    if (!stop) return;
    const auto& [best, best_epoch, wait] = decision_.state();
    state.finish(concat(kEarlyStop, epoch.epoch + 1, ": ", monitor_.name, " was best (",
                        best.value_or(0), ") in epoch ", best_epoch + 1));
  }
  void on_end(TrainingState& state) override {
    if (!best_weights_.empty()) state.set_weights(best_weights_);
  }
  void save(Checkpoint& checkpoint) const override {
    save_best(kEarlyStopping, monitor_, decision_.state().best, checkpoint);
    checkpoint.set("early_stopping.best_epoch", decision_.state().best_epoch);
    checkpoint.set("early_stopping.wait", decision_.state().wait);
    if (!best_weights_.empty()) checkpoint.arrays["early_stopping.weights"] = best_weights_;
  }
  void restore(const Checkpoint& checkpoint) override {
    if (!goes_on(kEarlyStopping, monitor_, checkpoint)) return;
    const std::optional<double> best = best_of(kEarlyStopping, checkpoint);
    if (restores_best_ && best) {
      if (checkpoint.arrays.count("early_stopping.weights") == 0) return;
      best_weights_ = checkpoint.array("early_stopping.weights", elements_);
    }
    decision_.restore({.best = best,
                       .best_epoch = checkpoint.get<std::uint32_t>("early_stopping.best_epoch"),
                       .wait = checkpoint.get<std::uint32_t>("early_stopping.wait")});
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
    save_best(kPlateau, monitor_, decision_.state().best, checkpoint);
    checkpoint.set("plateau.wait", decision_.state().wait);
    checkpoint.set("plateau.cooldown", decision_.state().cooldown);
  }
  void restore(const Checkpoint& checkpoint) override {
    if (!goes_on(kPlateau, monitor_, checkpoint)) return;
    decision_.restore({.best = best_of(kPlateau, checkpoint),
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
  void save(Checkpoint& checkpoint) const override {
    save_best(kBest, monitor_, best_, checkpoint);
  }
  void restore(const Checkpoint& checkpoint) override {
    if (goes_on(kBest, monitor_, checkpoint)) best_ = best_of(kBest, checkpoint);
  }

 private:
  Monitor monitor_;
  nn::Direction direction_;
  std::optional<double> best_;
};

}  // namespace

std::optional<Monitor> watched(const Checkpoint& checkpoint) {
  return watched(kBest, checkpoint);
}

void set_watched(const Monitor& monitor, Checkpoint& checkpoint) {
  for (const char* key : {kBest, kEarlyStopping, kPlateau}) set_watched(key, monitor, checkpoint);
}

void forget_best(Checkpoint& checkpoint) {
  for (const std::string key : {kBest, kEarlyStopping, kPlateau}) {
    checkpoint.values.erase(key + ".has_best");
  }
}

std::optional<EarlyStop> early_stop_of(const Checkpoint& checkpoint, const Monitor& monitor) {
  const bool is_one = checkpoint.get<bool>("finished") &&
                      checkpoint.get<std::string>("reason").starts_with(kEarlyStop);
  if (!is_one) return std::nullopt;
  return EarlyStop{checkpoint.get<std::uint32_t>("early_stopping.wait"),
                   goes_on(kEarlyStopping, monitor, checkpoint)};
}

bool is_same(const Monitor& one, const Monitor& other) {
  return one.name == other.name && direction_of(one) == direction_of(other);
}

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
