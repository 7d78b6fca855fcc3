#include <millrace/cpu/update.h>

#include <millrace/cpu/kernels/update.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace millrace::cpu {
namespace {

// Large enough that a piece's set-up does not show, small enough for a core's cache.
constexpr std::size_t kPiece = 8192;

double sum_of_squares(std::span<const float> values) {
  const float* const data = values.data();
  const std::size_t count = values.size();
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < count; ++i) sum += double{data[i]} * double{data[i]};
  return sum;
}

std::span<float> within(std::span<float> arena, std::size_t offset, std::size_t count) {
  return arena.empty() ? arena : arena.subspan(offset, count);
}

}  // namespace

Updater::Updater(const nn::CompileOptions& options, const ParameterLayouts& layouts, Team& team)
    : optimizer_(options.optimizer),
      gradient_(options.gradient),
      share_(static_cast<float>(1 - options.average.value_or(1))),
      team_(team) {
  for (std::size_t p = 0; p < layouts.parameters().size(); ++p) {
    const nn::Parameter& parameter = layouts.parameters()[p];
    if (!parameter.trainable) continue;
    const auto first = static_cast<std::size_t>(layouts.offset(static_cast<int>(p)));
    const std::size_t elements = layouts.bytes(static_cast<int>(p)) / sizeof(float);
    for (std::size_t done = 0; done < elements; done += kPiece) {
      pieces_.push_back({.offset = first / sizeof(float) + done,
                         .count = std::min(kPiece, elements - done),
                         .parameter = p,
                         .is_penalised = gradient_.l2 > 0 && parameter.role == nn::Role::kernel});
    }
  }
  weight_squares_.resize(pieces_.size());
  gradient_squares_.resize(pieces_.size());
  factors_.resize(layouts.parameters().size());
}

template <class Body>
void Updater::for_each_piece(Body&& body) {
  team_.for_each(static_cast<std::int64_t>(pieces_.size()),
                 [&](std::int64_t i) { body(static_cast<std::size_t>(i)); });
}

double Updater::summed_penalty() const {
  return gradient_.l2 * std::accumulate(weight_squares_.begin(), weight_squares_.end(), 0.0);
}

void Updater::sum(const Piece& piece, const FlatArenas& arenas) const {
  const std::span<float> sum = arenas.gradients().subspan(piece.offset, piece.count);
  for (const std::span<float> other : arenas.partial.subspan(1)) {
    if (piece.offset < other.size()) add(sum, other.subspan(piece.offset, piece.count));
  }
}

void Updater::gather(std::size_t index, const FlatArenas& arenas) {
  sum(pieces_[index], arenas);
  penalise(index, arenas);
}

void Updater::divide(std::size_t index, const Group& group, const FlatArenas& arenas) {
  const Piece& piece = pieces_[index];
  const std::span<float> gradients = arenas.gradients().subspan(piece.offset, piece.count);
  const std::span<const float> sums = group.sums.subspan(piece.offset, piece.count);
  const auto samples = static_cast<float>(group.samples);
  for (std::size_t i = 0; i < sums.size(); ++i) gradients[i] = sums[i] / samples;
  penalise(index, arenas);
}

void Updater::accumulate(std::int64_t samples, Group& group, const FlatArenas& arenas) {
  const auto weight = static_cast<float>(samples);
  const bool is_first = group.samples == 0;
  for_each_piece([&](std::size_t index) {
    const Piece& piece = pieces_[index];
    sum(piece, arenas);
    const std::span<const float> gradients = arenas.gradients().subspan(piece.offset, piece.count);
    const std::span<float> sums = group.sums.subspan(piece.offset, piece.count);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      sums[i] = (is_first ? 0.0F : sums[i]) + weight * gradients[i];
    }
  });
  group.samples += samples;
}

void Updater::penalise(std::size_t index, const FlatArenas& arenas) {
  const Piece& piece = pieces_[index];
  if (!piece.is_penalised) return;
  const auto weights = arenas.weights.subspan(piece.offset, piece.count);
  const auto gradients = arenas.gradients().subspan(piece.offset, piece.count);
  const auto slope = static_cast<float>(2 * gradient_.l2);
  weight_squares_[index] = sum_of_squares(weights);
  for (std::size_t i = 0; i < weights.size(); ++i) gradients[i] += slope * weights[i];
}

/// From the squares of the pieces; every factor is the same where all gradients share a norm.
void Updater::find_factors() {
  if (gradient_.clip_global_norm > 0) {
    const double all = std::accumulate(gradient_squares_.begin(), gradient_squares_.end(), 0.0);
    const double factor = nn::global_norm_factor(gradient_.clip_global_norm, std::sqrt(all));
    std::fill(factors_.begin(), factors_.end(), factor);
    return;
  }
  std::fill(factors_.begin(), factors_.end(), 0.0);
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    factors_[pieces_[i].parameter] += gradient_squares_[i];
  }
  for (double& factor : factors_) {
    factor = nn::norm_factor(gradient_.clip_norm, std::sqrt(factor));
  }
}

void Updater::limit(const Piece& piece, std::span<float> gradients) const {
  if (gradient_.clip_value > 0) {
    const auto most = static_cast<float>(gradient_.clip_value);
    for (float& g : gradients) g = std::clamp(g, -most, most);
  } else if (has_norm_clip() && factors_[piece.parameter] != 1) {
    const auto factor = static_cast<float>(factors_[piece.parameter]);
    for (float& g : gradients) g *= factor;
  }
}

double Updater::update(double learning_rate, std::int64_t t, const FlatArenas& arenas) {
  return step(learning_rate, t, arenas, [&](std::size_t i) { gather(i, arenas); });
}

double Updater::update(double learning_rate, std::int64_t t, const Group& group,
                       const FlatArenas& arenas) {
  return step(learning_rate, t, arenas, [&](std::size_t i) { divide(i, group, arenas); });
}

template <class MakeGradients>
double Updater::step(double learning_rate, std::int64_t t, const FlatArenas& arenas,
                     MakeGradients&& make_gradients) {
  const nn::UpdateConstants constants = nn::update_constants(optimizer_, learning_rate, t);
  if (has_norm_clip()) {
    for_each_piece([&](std::size_t i) {
      make_gradients(i);
      const Piece& piece = pieces_[i];
      gradient_squares_[i] = sum_of_squares(arenas.gradients().subspan(piece.offset, piece.count));
    });
    find_factors();
  }
  for_each_piece([&](std::size_t i) {
    const Piece& piece = pieces_[i];
    const auto of = [&](std::span<float> arena) {
      return within(arena, piece.offset, piece.count);
    };
    const std::span<float> weights = of(arenas.weights);
    const std::span<float> gradients = of(arenas.gradients());
    if (!has_norm_clip()) make_gradients(i);
    limit(piece, gradients);
    FlatArenas::States states;
    std::transform(arenas.states.begin(), arenas.states.end(), states.begin(), of);
    update_weights(optimizer_, constants, weights, gradients, states);
    finish(piece, arenas);
  });
  return summed_penalty();
}

void Updater::finish(const Piece& piece, const FlatArenas& arenas) const {
  const std::span<float> weights = within(arenas.weights, piece.offset, piece.count);
  const std::span<float> averages = within(arenas.averages, piece.offset, piece.count);
  if (!averages.empty()) take_averages(averages, weights, share_);
  if (arenas.masks.empty()) return;
  const std::span<const float> masks = arenas.masks.subspan(piece.offset, piece.count);
  apply_masks(weights, masks);
  if (!averages.empty()) apply_masks(averages, masks);
}

void Updater::swap_averages(const FlatArenas& arenas) {
  for_each_piece([&](std::size_t i) {
    const Piece& piece = pieces_[i];
    const std::span<float> weights = within(arenas.weights, piece.offset, piece.count);
    std::ranges::swap_ranges(weights, within(arenas.averages, piece.offset, piece.count));
  });
}

double Updater::add_up(const FlatArenas& arenas) {
  if (gradient_.l2 > 0 || arenas.partial.size() > 1) {
    for_each_piece([&](std::size_t i) { gather(i, arenas); });
  }
  return summed_penalty();
}

double Updater::penalty(std::span<const float> weights) {
  if (gradient_.l2 == 0) return 0;
  for_each_piece([&](std::size_t i) {
    const Piece& piece = pieces_[i];
    if (piece.is_penalised) {
      weight_squares_[i] = sum_of_squares(weights.subspan(piece.offset, piece.count));
    }
  });
  return summed_penalty();
}

}  // namespace millrace::cpu
