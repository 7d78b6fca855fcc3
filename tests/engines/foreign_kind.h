#pragma once
// Kinds of layers that no engine knows, as users write them.

#include <millrace/nn/layers/layer.h>

#include <algorithm>
#include <cmath>

namespace millrace::test {

/// x + 1, with loops for float64 alone: the reference engine's.
struct Foreign {
  static constexpr nn::LayerFacts kFacts{.name = "foreign", .stem = "foreign"};

  [[nodiscard]] nn::LayerShape infer(const nn::LayerInput& input) const {
    return {.output = input.shape()};
  }
  [[nodiscard]] nn::Derivative derivative(bool) const { return {}; }
  void forward(const nn::reference::Call& call) const {
    std::transform(call.x().begin(), call.x().end(), call.y().begin(),
                   [](double x) { return x + 1; });
  }
  void backward(const nn::reference::Call& call) const {
    std::copy(call.dy().begin(), call.dy().end(), call.dx().begin());
  }
  friend bool operator==(const Foreign&, const Foreign&) = default;
};

/// x where it is positive, else x times a trainable slope of the channel; then times a factor of
/// the sample, 1 or `strength` by the parity of its position.
struct SlopedRelu {
  float first = 0.25F;
  float strength = 1;

  static constexpr nn::LayerFacts kFacts{.name = "sloped_relu", .stem = "sloped_relu"};
  static constexpr int kFactor = 0;  ///< saved: of each sample
  static constexpr int kOnes = 1;    ///< saved: two rows of channels for the whole batch

  void list(nn::FieldList& fields) {
    fields.optional("first", &first);
    fields.optional("strength", &strength);
  }
  [[nodiscard]] nn::LayerShape infer(const nn::LayerInput& input) const {
    input.require(first >= 0, "first must not be negative, not ", first);
    return {.output = input.shape(),
            .parameters = {{"weight", nn::Role::gamma, {input.shape()[-1]}, first}},
            .saved = {{"factor", Shape{1}}, {"ones", Shape{2, input.shape()[-1]}, false}}};
  }
  [[nodiscard]] nn::Derivative derivative(bool) const {
    using namespace nn::operand;
    return {.data = {x, parameter(nn::Role::gamma), saved(kFactor), saved(kOnes)},
            .parameters = {x, saved(kFactor)}};
  }
  template <class Real>
  void forward(const nn::reference::BasicCall<Real>& call) const {
    const auto x = call.x(), slopes = call.parameter(nn::Role::gamma);
    const auto y = call.y(), kept = call.saved(kFactor), ones = call.saved(kOnes);
    MILLRACE_CHECK(ones.empty() || ones.size() == 2 * call.channels(), ones.size(), " ones");
    std::fill(ones.begin(), ones.end(), Real{1});
    for_each(call, [&](std::int64_t n, std::int64_t i, std::int64_t c) {
      const bool is_odd = (call.positions.empty() ? static_cast<std::uint64_t>(n)
                                                  : call.positions[static_cast<std::size_t>(n)]) %
                              2 ==
                          1;
      const Real factor = is_odd ? Real{strength} : Real{1};
      if (!kept.empty()) kept[n] = factor;
      y[i] = factor * (x[i] > 0 ? x[i] : slopes[c] * x[i]);
    });
  }
  template <class Real>
  void backward(const nn::reference::BasicCall<Real>& call) const {
    const auto x = call.x(), dy = call.dy(), slopes = call.parameter(nn::Role::gamma);
    const auto factor = call.in(nn::operand::saved(kFactor));
    const auto dx = call.dx(), dslopes = call.gradient(nn::Role::gamma);
    const auto ones = call.in(nn::operand::saved(kOnes));
    std::fill(dslopes.begin(), dslopes.end(), Real{0});
    for_each(call, [&](std::int64_t n, std::int64_t i, std::int64_t c) {
      if (!dx.empty()) {
        dx[i] = ones[call.channels() + c] * factor[n] * dy[i] * (x[i] > 0 ? Real{1} : slopes[c]);
      }
      if (!dslopes.empty() && x[i] <= 0) dslopes[c] += factor[n] * dy[i] * x[i];
    });
  }
  friend bool operator==(const SlopedRelu&, const SlopedRelu&) = default;

 private:
  template <class Real, class Body>
  static void for_each(const nn::reference::BasicCall<Real>& call, Body body) {
    const std::int64_t sample = call.input().elements();
    for (std::int64_t n = 0; n < call.samples; ++n) {
      for (std::int64_t i = 0; i < sample; ++i) body(n, n * sample + i, i % call.channels());
    }
  }
};

/// Less the mean over the whole batch, by element: no slice can do it alone.
struct Centred {
  static constexpr nn::LayerFacts kFacts{.name = "centred", .stem = "centred", .mixes_rows = true};

  [[nodiscard]] nn::LayerShape infer(const nn::LayerInput& input) const {
    return {.output = input.shape()};
  }
  [[nodiscard]] nn::Derivative derivative(bool) const { return {}; }
  template <class Real>
  void forward(const nn::reference::BasicCall<Real>& call) const {
    centre(call, call.x(), call.y());
  }
  template <class Real>
  void backward(const nn::reference::BasicCall<Real>& call) const {
    centre(call, call.dy(), call.dx());
  }
  friend bool operator==(const Centred&, const Centred&) = default;

 private:
  template <class Call, class In, class Out>
  static void centre(const Call& call, In from, Out to) {
    const std::int64_t sample = call.input().elements();
    for (std::int64_t i = 0; i < sample; ++i) {
      double mean = 0;
      for (std::int64_t n = 0; n < call.samples; ++n) {
        mean += static_cast<double>(from[n * sample + i]) / static_cast<double>(call.samples);
      }
      for (std::int64_t n = 0; n < call.samples; ++n) {
        using Real = std::remove_cvref_t<decltype(to[0])>;
        to[n * sample + i] = static_cast<Real>(static_cast<double>(from[n * sample + i]) - mean);
      }
    }
  }
};

}  // namespace millrace::test
