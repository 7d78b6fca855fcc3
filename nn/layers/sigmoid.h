#pragma once
// The logistic function: 1 / (1 + exp(-x)).

#include <millrace/nn/layers/elementwise.h>

#include <cmath>

namespace millrace::nn {

struct Sigmoid : Elementwise<Sigmoid> {
  static constexpr LayerFacts kFacts{.name = "sigmoid", .stem = "sigmoid", .keeps_order = true};
  static double value(double x) { return 1 / (1 + std::exp(-x)); }
  static double gradient(double dy, double y) { return dy * y * (1 - y); }
};

}  // namespace millrace::nn
