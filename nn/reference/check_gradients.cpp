#include <millrace/nn/reference/check_gradients.h>

#include <millrace/core/error.h>
#include <millrace/core/random.h>
#include <millrace/nn/reference/engine.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace millrace::nn {
namespace {

constexpr double kStep = 1e-5;
constexpr double kSmooth = 2e-7;  // by which two differences may differ, of the largest
constexpr int kTries = 20;

std::size_t index(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

/// One draw of everything.
class Trial {
 public:
  Trial(const Model& model, const GradientCheckOptions& options, int number)
      : options_(options),
        random_(options.seed, static_cast<std::uint32_t>(number), 0, Purpose::user),
        parameters_(nn::parameters(model)) {
    executor_ =
        ReferenceEngine().compile_reference(model, {.batch = options.samples,
                                                    .loss = options.loss,
                                                    .label_smoothing = options.label_smoothing,
                                                    .gradient = {.l2 = options.l2},
                                                    .seed = options.seed});
    executor_->allocate();
    draw_batch(model);
    for (const Parameter& parameter : parameters_) draw(parameter);
  }

  /// Nothing where the loss has a kink nearby.
  std::optional<GradientCheck> run() {
    if (const double value = loss(); !std::isfinite(value)) {
      throw Error(concat("the gradients of the model '", executor_->model().name,
                         "' cannot be checked: its loss is ", value));
    }
    const std::vector<double> gradient(executor_->gradient().begin(), executor_->gradient().end());
    struct Compared {
      const Parameter* parameter;
      double derivative, coarse, fine;
    };
    std::vector<Compared> all;
    double largest = 0;
    for (const Parameter& parameter : parameters_) {
      if (!parameter.trainable) continue;
      const std::int64_t elements = parameter.shape.elements();
      const std::int64_t count = options_.directions > 0 ? options_.directions : elements;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::vector<double> direction = direction_of(elements, i);
        const double derivative = std::inner_product(direction.begin(), direction.end(),
                                                     gradient.begin() + parameter.offset, 0.0);
        all.push_back({&parameter, derivative, difference(parameter, direction, kStep),
                       difference(parameter, direction, kStep / 2)});
        largest = std::max({largest, std::abs(derivative), std::abs(all.back().fine)});
      }
    }
    GradientCheck result;
    result.checks = static_cast<std::int64_t>(all.size());
    for (const Compared& c : all) {
      if (!std::isfinite(c.derivative)) {  // which compares with nothing
        result.largest_error = std::numeric_limits<double>::infinity();
        result.where = c.parameter->name;
        return result;
      }
      if (!(std::abs(c.coarse - c.fine) <= kSmooth * largest)) return std::nullopt;
      const double error = std::abs(c.derivative - c.fine) / std::max(largest, 1e-12);
      if (error <= result.largest_error) continue;
      result.largest_error = error;
      result.where = c.parameter->name;
    }
    return result;
  }

 private:
  void draw_batch(const Model& model) {
    const std::int64_t outputs = summarize(model).back().output.elements();
    input_.resize(index(options_.samples * model.input.elements()));
    labels_.resize(index(options_.samples * outputs));
    weights_.resize(index(options_.samples));
    for (float& value : input_) value = static_cast<float>(random_.normal());
    for (float& value : labels_) value = static_cast<float>(random_.uniform());
    for (float& value : weights_) value = static_cast<float>(0.5 + random_.uniform());
    batch_ = {
        .input = ConstTensorView(std::span<const float>(input_),
                                 model.input.with_front(options_.samples)),
        .labels = ConstTensorView(std::span<const float>(labels_), {options_.samples, outputs}),
        .weights = weights_,
        .samples = options_.samples,
        .pass = 4};
  }

  /// Of such a size that values stay about as large through many layers.
  void draw(const Parameter& parameter) {
    const double kernel =
        1.3 / std::sqrt(static_cast<double>(std::max<std::int64_t>(parameter.fan_in, 1)));
    for (double& value : values(parameter)) {
      const double z = random_.normal();
      switch (parameter.role) {
        case Role::kernel: value = kernel * z; break;
        case Role::gamma: value = 1 + 0.3 * z; break;
        case Role::running_variance: value = 0.5 + z * z; break;
        default: value = 0.5 * z;
      }
    }
  }

  std::vector<double> direction_of(std::int64_t elements, std::int64_t i) {
    std::vector<double> direction(index(elements), 0.0);
    if (options_.directions == 0) {
      direction[index(i)] = 1;
      return direction;
    }
    for (double& value : direction) value = random_.normal();
    return direction;
  }

  std::span<double> values(const Parameter& parameter) {
    return executor_->parameters().subspan(index(parameter.offset),
                                           index(parameter.shape.elements()));
  }

  double difference(const Parameter& parameter, const std::vector<double>& direction, double step) {
    const std::span<double> weights = values(parameter);
    const std::vector<double> middle(weights.begin(), weights.end());
    const auto loss_at = [&](double distance) {
      for (std::size_t i = 0; i < weights.size(); ++i) {
        weights[i] = middle[i] + distance * direction[i];
      }
      return loss();
    };
    const double above = loss_at(step), below = loss_at(-step);
    std::ranges::copy(middle, weights.begin());
    return (above - below) / (2 * step);
  }

  /// Training's, at the parameters as they are. Running statistics move, but no loss reads those of
  /// a layer that trains.
  double loss() { return executor_->gradients(batch_).mean_loss(); }

  GradientCheckOptions options_;
  Random random_;
  std::vector<Parameter> parameters_;
  std::unique_ptr<ReferenceExecutor> executor_;
  std::vector<float> input_, labels_, weights_;
  Batch batch_;
};

}  // namespace

GradientCheck check_gradients(const Model& model, const GradientCheckOptions& options) {
  for (int number = 0; number < kTries; ++number) {
    if (auto result = Trial(model, options, number).run()) {
      result->drawn_again = number;
      return *std::move(result);
    }
  }
  throw Error(concat("the gradients of the model '", model.name, "' cannot be checked: in ", kTries,
                     " draws of parameters and samples its loss was never smooth"));
}

GradientCheck check_gradients(const LayerKind& kind, const Shape& input,
                              const GradientCheckOptions& options) {
  const bool is_image = input.rank() == 3;
  const auto before = [&](ModelBuilder& b) { is_image ? b.conv(input[2], 1) : b.dense(input[0]); };
  ModelBuilder builder("gradients", input);
  const int inputs = kind.facts().least_inputs;
  if (inputs == 1) {
    before(builder);
  } else {
    builder.branches(std::vector<ModelBuilder::Branch>(static_cast<std::size_t>(inputs), before));
  }
  builder.add(kind);
  return check_gradients(builder.flatten().dense(3).build(), options);
}

}  // namespace millrace::nn
