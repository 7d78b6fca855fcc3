#include <millrace/training/options/optimizer_help.h>
#include <millrace/training/options/options.h>

#include <algorithm>
#include <functional>

namespace millrace {
namespace {

const nn::OptimizerInfo& info(const nn::OptimizerOptions& o) {
  return nn::optimizer_info(o.kind);
}

/// A row, though kinds may differ in what they say of it: then the kind's own range is the engine's
/// to check.
void list_own(OptionList& options, nn::OptimizerOptions& o, const nn::RuleOption& own) {
  const std::string name = own.name;
  bool is_one_range = true;
  for (const nn::OptimizerInfo& kind : nn::optimizers()) {
    const nn::RuleOption* const other = own_option(kind, name);
    is_one_range = is_one_range && (other == nullptr || other->range == own.range);
  }
  const OptionList::Access<std::optional<double>> access{
      [&o, name] {
        const auto found = o.own.find(name);
        return found == o.own.end() ? std::nullopt : std::optional(found->second);
      },
      [&o, name](std::optional<double> value) {
        o.own.erase(name);
        if (value) o.own.emplace(name, *value);
      }};
  const auto usual = [&name](const nn::OptimizerInfo& kind) -> std::optional<double> {
    const nn::RuleOption* const option = own_option(kind, name);
    return option == nullptr ? std::nullopt : std::optional(option->usual);
  };
  std::string word = name;
  std::replace(word.begin(), word.end(), '_', '-');
  const std::string help = concat(own.help, *own.help == '\0' ? "" : "; ", of_optimizers(usual));
  Option& row = options(word, access, "X", help, is_one_range ? own.range : NumberRange{});
  row.by_default(usual_values(usual));
  row.needs(concat("--optimizer ", optimizers_with(name)),
            [&o, name] { return own_option(info(o), name) != nullptr; });
  if (own.has_effect == nullptr) return;
  row.needs(own.needs, [&o, name] {
    const nn::RuleOption* const option = own_option(info(o), name);
    return option == nullptr || option->has_effect == nullptr ||
           option->has_effect(nn::update_options(o));
  });
}

}  // namespace

void list_optimizer(OptionList& options, nn::OptimizerOptions& o) {
  options("optimizer", o.kind, "NAME", optimizer_help());
}

void list_momentum(OptionList& options, nn::OptimizerOptions& o) {
  options("momentum", o.momentum, "X", momentum_help(), from_up_to(0, 1))
      .needs(concat("an --optimizer that has one, ", optimizers_with_momentum()),
             [&o] { return info(o).has_momentum; });
}

void list_training(OptionList& options, TrainSpec& spec) {
  nn::OptimizerOptions& o = spec.optimizer;
  options.topic("training", "Training");
  options("epochs", spec.epochs, "N", "passes through the data", at_least(1));
  options("batch", spec.batch, "N", "samples in a batch, from which a step learns",
          within(1, 1'000'000))
      .keeps();
  options("accumulate", spec.accumulate, "N",
          "batches that one step learns from, as if from one batch N times as large",
          within(1, 1'000'000))
      .keeps();
  options("steps-per-epoch", spec.steps_per_epoch, "N",
          "N full batches an epoch from an endless shuffled stream; 0: an epoch is one pass")
      .keeps();
  options("loss", spec.loss, "NAME", loss_help())
      .by_default("the cross-entropy of the model's last layer; of numbers, mean_squared_error");
  list_optimizer(options, o);
  options.find("optimizer").option->keeps();
  options("learning-rate", o.learning_rate, "X", "learning rate of the optimizer", above(0))
      .by_default(usual_learning_rates());
  list_momentum(options, o);
  options("nesterov", o.nesterov, "", "use Nesterov's momentum")
      .needs(concat("--optimizer ", optimizers_with_nesterov(), " and --momentum above 0"),
             [&o] { return info(o).has_nesterov && o.momentum > 0; });
  options("beta1", o.beta1, "X", of_optimizers(std::mem_fn(&nn::OptimizerInfo::beta1)),
          from_up_to(0, 1))
      .by_default(usual_values(std::mem_fn(&nn::OptimizerInfo::beta1)))
      .needs("an --optimizer that has it", [&o] { return info(o).beta1.has_value(); });
  options("beta2", o.beta2, "X", of_optimizers(std::mem_fn(&nn::OptimizerInfo::beta2)),
          from_up_to(0, 1))
      .by_default(usual_values(std::mem_fn(&nn::OptimizerInfo::beta2)))
      .needs("an --optimizer that has it", [&o] { return info(o).beta2.has_value(); });
  options("epsilon", o.epsilon, "X", of_optimizers(std::mem_fn(&nn::OptimizerInfo::epsilon)),
          at_least(0))
      .by_default(usual_values(std::mem_fn(&nn::OptimizerInfo::epsilon)))
      .needs("an --optimizer that has it", [&o] { return info(o).epsilon.has_value(); });
  for (const nn::RuleOption& own : own_options()) list_own(options, o, own);
  options("weight-decay", o.weight_decay, "X", "added to the gradient; adamw, lion: decoupled",
          at_least(0));
  options("ema", spec.ema, "MOMENTUM",
          "keep an exponential moving average of the weights, MOMENTUM x average + (1 - MOMENTUM) "
          "x weights after each step: it is validated and saved; 0.999 is typical",
          between(0, 1));
  options("seed", spec.seed, "N", "seed of the split, the weights, the order and the augmentation")
      .keeps();
  options("shuffle", spec.shuffle, "", "train in the order of the data set").keeps();
  options(
      "shuffle-buffer", spec.shuffle_buffer, "N",
      "of tar shards, which come in random order: choose each sample from the next N; 0: from all")
      .keeps()
      .needs("shuffling", [&spec] { return spec.shuffle; });
}

void list_schedule(OptionList& options, TrainSpec& spec) {
  using Kind = nn::ScheduleKind;
  nn::ScheduleOptions& o = spec.schedule;
  const auto is = [&o](auto... kinds) {
    return [&o, kinds...] { return ((o.kind == kinds) || ...); };
  };
  options.topic("schedule", "Learning rate over time");
  options("schedule", o.kind, "NAME",
          "constant, step, piecewise, exponential, inverse-time, polynomial, cosine, "
          "cosine-restarts; 'rate' below is --learning-rate");
  options("decay-steps", spec.decay_steps, "N", "steps of the schedule, or of one period of it",
          at_least(1))
      .by_default("all steps of the run")
      .needs("a --schedule with a period",
             [&o] { return o.kind != Kind::constant && o.kind != Kind::piecewise; });
  options("decay-rate", o.decay_rate, "X",
          "factor of the rate each period (inverse-time: the rate is divided by 1 + X)", above(0))
      .needs("--schedule step, piecewise, exponential or inverse-time",
             is(Kind::step, Kind::piecewise, Kind::exponential, Kind::inverse_time))
      .needs("milestones without --milestone-factors",
             [&o] { return o.kind != Kind::piecewise || o.factors.empty(); });
  options("milestones", o.milestones, "N,N,...", "piecewise: steps at which the rate changes")
      .needs("--schedule piecewise", is(Kind::piecewise));
  options("milestone-factors", o.factors, "X,X,...",
          "piecewise: factors of the rate at the milestones", at_least(0))
      .by_default("--decay-rate at each")
      .needs("--schedule piecewise", is(Kind::piecewise));
  options("end-factor", o.end_factor, "X", "polynomial, cosine: end at this fraction of the rate",
          at_least(0))
      .needs("--schedule polynomial, cosine or cosine-restarts",
             is(Kind::polynomial, Kind::cosine, Kind::cosine_restarts));
  options("power", o.power, "X", "polynomial: its exponent", above(0))
      .needs("--schedule polynomial", is(Kind::polynomial));
  options("staircase", o.staircase, "", "exponential, inverse-time: change only once a period")
      .needs("--schedule exponential or inverse-time", is(Kind::exponential, Kind::inverse_time));
  options("cycle", o.cycle, "", "polynomial: rise again after each period")
      .needs("--schedule polynomial", is(Kind::polynomial));
  options("restart-growth", o.restart_growth, "X",
          "cosine-restarts: each period is X times as long as the last", at_least(1))
      .needs("--schedule cosine-restarts", is(Kind::cosine_restarts));
  options("restart-factor", o.restart_factor, "X",
          "cosine-restarts: each period begins at X times the rate of the last", above(0))
      .needs("--schedule cosine-restarts", is(Kind::cosine_restarts));
  options("warmup-steps", o.warmup_steps, "N",
          "before the schedule, raise the rate linearly for N steps");
  options("warmup-from", o.warmup_from, "X", "start the warm-up at this fraction of the rate",
          at_least(0))
      .needs("--warmup-steps N", [&o] { return o.warmup_steps > 0; });
  options.topic("regularisation", "Labels, loss and gradients");
  options("label-smoothing", spec.label_smoothing, "X",
          "share of a label to spread over all classes, in val_loss too", from_up_to(0, 1));
  options("l2", spec.gradient.l2, "X",
          "add X times the sum of squares of all kernels to the loss, in val_loss too",
          at_least(0));
  options("clip-value", spec.gradient.clip_value, "X",
          "clip each element of the gradients to [-X, X]; 0: off", at_least(0));
  options("clip-norm", spec.gradient.clip_norm, "X",
          "clip the gradient of each parameter to this norm; 0: off", at_least(0));
  options("clip-global-norm", spec.gradient.clip_global_norm, "X",
          "clip all gradients together to this norm; 0: off", at_least(0));
}

}  // namespace millrace
