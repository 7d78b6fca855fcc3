#include <millrace/core/error.h>
#include <millrace/core/half.h>
#include <millrace/nn/dropout.h>
#include <millrace/nn/reference/graph.h>
#include <millrace/nn/window.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace millrace::nn::reference {
namespace {

bool lives_in_arena(const Value& value) {
  return value.parameter >= 0;
}

}  // namespace

GraphRunner::GraphRunner(Graph graph, Arenas& arenas, Precision precision)
    : graph_(std::move(graph)),
      arenas_(arenas),
      precision_(precision),
      summaries_(summarize(graph_.model)) {}

std::uint64_t GraphRunner::bytes() const {
  std::uint64_t sum = 0;
  for (const Value& value : graph_.values) {
    if (lives_in_arena(value) || value.role == ValueRole::labels) continue;
    sum += static_cast<std::uint64_t>(value.shape.elements()) * sizeof(double);
  }
  return sum;
}

void GraphRunner::allocate() {
  values_.resize(graph_.values.size());
  for (std::size_t v = 0; v < values_.size(); ++v) {
    const Value& value = graph_.values[v];
    if (lives_in_arena(value) || value.role == ValueRole::labels) continue;
    values_[v].assign(static_cast<std::size_t>(value.shape.elements()), 0.0);
  }
  for (const Op& op : graph_.ops) {
    if (op.kind != OpKind::dropout) continue;
    const auto elements = static_cast<std::size_t>(described(op.outputs[0]).shape.elements());
    mask_bits_.resize(std::max(mask_bits_.size(), elements));
    mask_.resize(mask_bits_.size());
  }
}

void GraphRunner::release() {
  values_ = {};
  mask_bits_ = {};
  mask_ = {};
}

StepResult GraphRunner::run(const Batch& batch, std::uint64_t seed, bool with_loss,
                            double loss_scale) {
  samples_ = batch.samples;
  loss_scale_ = loss_scale;
  refresh_working_copies();
  const std::span<const float> input = batch.input.as<float>();
  const Out destination = rows(graph_.input);
  std::copy_n(input.begin(), destination.span().size(), destination.begin());
  round(destination.span());
  StepResult result;
  for (std::size_t i = 0; i < graph_.ops.size(); ++i) {
    const Op& op = graph_.ops[i];
    if (op.kind == OpKind::loss && !with_loss) continue;
    if (timings_.empty()) {
      run_op(op, batch, seed, result);
      round_outputs(op);
      continue;
    }
    const auto begin = std::chrono::steady_clock::now();
    run_op(op, batch, seed, result);
    round_outputs(op);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - begin;
    timings_[i].seconds += spent.count();
    ++timings_[i].calls;
  }
  return result;
}

std::span<const double> GraphRunner::value(ValueId id) const {
  return values_[static_cast<std::size_t>(id)];
}

void GraphRunner::measure(bool enabled) {
  timings_.clear();
  if (!enabled) return;
  for (const Op& op : graph_.ops) {
    const std::string name = op.layer < 0 ? "loss" : layer(op).name;
    timings_.push_back(
        {.name = concat(name, " ", to_string(op.pass)), .implementation = "float64 loops"});
  }
}

void GraphRunner::run_op(const Op& op, const Batch& batch, std::uint64_t seed, StepResult& result) {
  switch (op.kind) {
    case OpKind::dense: return dense(op);
    case OpKind::conv2d: return conv2d(op);
    case OpKind::max_pool:
    case OpKind::avg_pool: return pool(op);
    case OpKind::global_avg_pool: return global_avg_pool(op);
    case OpKind::flatten:
    case OpKind::relu:
    case OpKind::sigmoid:
    case OpKind::softmax: return activation(op);
    case OpKind::dropout: return dropout(op, batch, seed);
    case OpKind::batch_norm: return batch_norm(op);
    case OpKind::loss: result = loss(op, batch); return;
  }
}

void GraphRunner::dense(const Op& op) {
  const bool is_forward = op.pass == Pass::forward;
  const bool is_data = op.pass == Pass::backward_data;
  const ValueId w = op.pass == Pass::backward_parameters ? op.outputs[0] : op.inputs[1];
  const Shape& kernel = described(w).shape;
  const DenseSize size{.samples = samples_, .inputs = kernel[1], .units = kernel[0]};
  if (is_forward) return dense_forward(size, in(op, 0), in(op, 1), in(op, 2), out(op, 0));
  if (is_data) return dense_backward_data(size, in(op, 0), in(op, 1), out(op, 0));
  dense_backward_parameters(size, in(op, 0), in(op, 1), out(op, 0), out(op, 1));
}

void GraphRunner::conv2d(const Op& op) {
  const Sliding size = sliding(op);
  switch (op.pass) {
    case Pass::forward: return conv2d_forward(size, in(op, 0), in(op, 1), in(op, 2), out(op, 0));
    case Pass::backward_data: return conv2d_backward_data(size, in(op, 0), in(op, 1), out(op, 0));
    case Pass::backward_parameters:
      return conv2d_backward_parameters(size, in(op, 0), in(op, 1), out(op, 0), out(op, 1));
  }
}

void GraphRunner::pool(const Op& op) {
  const bool is_forward = op.pass == Pass::forward;
  if (op.kind == OpKind::avg_pool) {
    return is_forward ? avg_pool_forward(sliding(op), in(op, 0), out(op, 0))
                      : avg_pool_backward(sliding(op), in(op, 0), out(op, 0));
  }
  if (is_forward) return max_pool_forward(sliding(op), in(op, 0), out(op, 0), out(op, 1));
  max_pool_backward(in(op, 0), in(op, 1), out(op, 0));
}

void GraphRunner::global_avg_pool(const Op& op) {
  const bool is_forward = op.pass == Pass::forward;
  is_forward ? global_avg_pool_forward(pixels(op), in(op, 0), out(op, 0))
             : global_avg_pool_backward(pixels(op), in(op, 0), out(op, 0));
}

void GraphRunner::activation(const Op& op) {
  const bool is_forward = op.pass == Pass::forward;
  const In first = in(op, 0);
  const Out result = out(op, 0);
  const std::int64_t classes = described(op.outputs[0]).shape[-1];
  switch (op.kind) {
    case OpKind::relu:
      return is_forward ? relu_forward(first, result) : relu_backward(first, in(op, 1), result);
    case OpKind::sigmoid:
      return is_forward ? sigmoid_forward(first, result)
                        : sigmoid_backward(first, in(op, 1), result);
    case OpKind::softmax:
      return is_forward ? softmax_forward(classes, first, result)
                        : softmax_backward(classes, first, in(op, 1), result);
    default: std::copy(first.begin(), first.end(), result.begin());  // flatten
  }
}

void GraphRunner::dropout(const Op& op, const Batch& batch, std::uint64_t seed) {
  const float rate = std::get<Dropout>(layer(op).kind).rate;
  if (op.pass != Pass::forward) {
    return dropout_backward(double{rate}, in(op, 0), in(op, 1), out(op, 0));
  }
  const Out result = out(op, 0);
  const auto elements = static_cast<std::size_t>(image(op).elements());
  const auto bits = std::span(mask_bits_).first(result.span().size());
  for (std::size_t n = 0; n < static_cast<std::size_t>(samples_); ++n) {
    const std::uint64_t draw = batch.draws.empty() ? n : batch.draws[n];
    dropout_mask(seed, batch.pass, draw, op.layer, rate, bits.subspan(n * elements, elements));
  }
  // A frozen prefix saves no mask.
  const Out mask = op.outputs[1] < 0 ? Out(std::span(mask_).first(bits.size())) : out(op, 1);
  std::copy(bits.begin(), bits.end(), mask.begin());
  dropout_forward(double{rate}, in(op, 0), mask, result);
}

void GraphRunner::batch_norm(const Op& op) {
  const auto& options = std::get<BatchNorm>(layer(op).kind);
  const Norm norm{.momentum = double{options.momentum},
                  .epsilon = double{options.epsilon},
                  .biased_variance = options.biased_variance};
  const Pixels size = pixels(op);
  const bool is_forward = op.pass == Pass::forward;
  const bool uses_batch = is_forward ? op.outputs.size() == 3 : op.inputs.size() == 5;
  if (is_forward && uses_batch) {
    const Out mean = rows(op.inputs[3]);
    const Out variance = rows(op.inputs[4]);
    return batch_norm_forward(size, norm, in(op, 0), in(op, 1), in(op, 2), mean, variance,
                              out(op, 0), out(op, 1), out(op, 2));
  }
  if (is_forward) {
    return frozen_batch_norm_forward(size, norm, in(op, 0), in(op, 1), in(op, 2), in(op, 3),
                                     in(op, 4), out(op, 0));
  }
  if (uses_batch) {
    return batch_norm_backward(size, norm, in(op, 0), in(op, 1), in(op, 2), in(op, 3), in(op, 4),
                               out(op, 0), out(op, 1), out(op, 2));
  }
  frozen_batch_norm_backward(size, norm, in(op, 0), in(op, 1), in(op, 2), out(op, 0));
}

StepResult GraphRunner::loss(const Op& op, const Batch& batch) {
  const std::int64_t k = described(op.inputs[0]).shape[1];
  const Out dlogits = out(op, 0);
  const StepResult result =
      evaluate_loss<double>(graph_.loss, in(op, 0).span(), batch.labels, batch.weights, samples_, k,
                            dlogits.span(), graph_.label_smoothing);
  for (double& slope : dlogits) slope *= loss_scale_;
  return result;
}

bool GraphRunner::has_working_copy(const Parameter& parameter) const {
  return rounds() && (parameter.role == Role::kernel || parameter.role == Role::bias);
}

void GraphRunner::refresh_working_copies() {
  for (const Parameter& parameter : graph_.parameters) {
    if (!has_working_copy(parameter)) continue;
    const std::int64_t count = parameter.shape.elements();
    const auto copy =
        std::span(arenas_.working)
            .subspan(static_cast<std::size_t>(parameter.offset), static_cast<std::size_t>(count));
    std::copy_n(arenas_.parameters.begin() + parameter.offset, count, copy.begin());
    round(copy);
  }
}

void GraphRunner::round(std::span<double> values) const {
  if (!rounds()) return;
  const bool is_f16 = precision_ == Precision::fp16;
  for (double& value : values) {
    const auto single = static_cast<float>(value);
    value = double{is_f16 ? float_from_f16(f16_from_float(single))
                          : float_from_bf16(bf16_from_float(single))};
  }
}

/// Rounding behind a dense layer and again behind its ReLU is rounding once: the second changes
/// nothing.
void GraphRunner::round_outputs(const Op& op) {
  if (!rounds()) return;
  for (const ValueId id : op.outputs) {
    if (id < 0 || id == graph_.logits || id == graph_.output) continue;
    if (described(id).role != ValueRole::saved) round(rows(id).span());
  }
}

const Value& GraphRunner::described(ValueId id) const {
  return graph_.values[static_cast<std::size_t>(id)];
}

const Layer& GraphRunner::layer(const Op& op) const {
  return graph_.model.layers[static_cast<std::size_t>(op.layer)];
}

Shape GraphRunner::image(const Op& op) const {
  const auto before = static_cast<std::size_t>(op.layer);
  return before == 0 ? graph_.model.input : summaries_[before - 1].output;
}

Pixels GraphRunner::pixels(const Op& op) const {
  const Shape shape = image(op);
  return {.samples = samples_, .pixels = shape.elements() / shape[-1], .channels = shape[-1]};
}

Sliding GraphRunner::sliding(const Op& op) const {
  const Shape from = image(op);
  const Shape to = summaries_[static_cast<std::size_t>(op.layer)].output;
  Sliding s{.samples = samples_,
            .height = from[0],
            .width = from[1],
            .channels = from[2],
            .out_height = to[0],
            .out_width = to[1],
            .filters = to[2]};
  const auto place = [&](std::int64_t rows, std::int64_t columns, std::int64_t stride,
                         Padding padding) {
    s.rows = rows;
    s.columns = columns;
    s.stride = stride;
    s.top = window(from[0], rows, stride, padding).before;
    s.left = window(from[1], columns, stride, padding).before;
  };
  const LayerKind& kind = layer(op).kind;
  if (const auto* conv = std::get_if<Conv2D>(&kind)) {
    place(conv->rows, conv->columns, conv->stride, conv->padding);
  } else if (const auto* max = std::get_if<MaxPool2D>(&kind)) {
    place(max->size, max->size, max->stride, max->padding);
  } else {
    const auto& average = std::get<AvgPool2D>(kind);
    place(average.size, average.size, average.stride, average.padding);
  }
  return s;
}

/// The valid rows of a value, or all of it where its first dimension is not the batch.
Out GraphRunner::rows(ValueId id) {
  const Value& value = described(id);
  if (lives_in_arena(value)) {
    const Parameter& parameter = graph_.parameters[static_cast<std::size_t>(value.parameter)];
    auto& arena = value.role != ValueRole::parameter ? arenas_.gradients
                  : has_working_copy(parameter)      ? arenas_.working
                                                     : arenas_.parameters;
    return std::span<double>(arena).subspan(static_cast<std::size_t>(parameter.offset),
                                            static_cast<std::size_t>(parameter.shape.elements()));
  }
  const std::span<double> all(values_[static_cast<std::size_t>(id)]);
  const bool is_statistic = value.role == ValueRole::saved && value.shape.rank() == 1;
  if (is_statistic) return all;
  const std::int64_t row = value.shape.without_front().elements();
  return all.first(static_cast<std::size_t>(samples_ * row));
}

In GraphRunner::in(const Op& op, std::size_t index) {
  if (index >= op.inputs.size() || op.inputs[index] < 0) return {};
  return rows(op.inputs[index]);
}

Out GraphRunner::out(const Op& op, std::size_t index) {
  if (index >= op.outputs.size() || op.outputs[index] < 0) return {};
  return rows(op.outputs[index]);
}

}  // namespace millrace::nn::reference
