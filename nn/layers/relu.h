#pragma once
// The rectified linear unit: max(x, 0).

#include <millrace/nn/layers/elementwise.h>

namespace millrace::nn {

struct Relu : Elementwise<Relu> {
  static constexpr LayerFacts kFacts{.name = "relu", .stem = "relu", .keeps_order = true};
  static double value(double x) { return x < 0 ? 0.0 : x; }
  static double gradient(double dy, double y) { return y > 0 ? dy : 0.0; }
};

}  // namespace millrace::nn
