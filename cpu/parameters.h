#pragma once
// The parameter arena of this engine: each parameter in the layout that its forward operation
// prefers. Updates are element-wise, so gradients and optimizer state use the same places and
// a step converts nothing; read() and write() use the order of nn/engine.h.

#include <millrace/cpu/division.h>
#include <millrace/cpu/layouts.h>
#include <millrace/nn/model.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace millrace::cpu {

/// The order on the outside, that of Parameter::shape.
[[nodiscard]] Layout plain_layout(const nn::Parameter& parameter);

/// Layouts and places of all parameters: trainable ones first, and of those first the ones that
/// every slice of a batch has gradients of. Padding in a layout is zero and stays zero under every
/// optimizer.
class ParameterLayouts {
 public:
  explicit ParameterLayouts(std::vector<nn::Parameter> parameters);

  /// The layout of a parameter. The first program that asks decides; later ones get what it chose.
  const Layout& choose(int parameter, const Layout& preferred);
  /// What was chosen; Tag::any before that.
  [[nodiscard]] Layout layout(int parameter) const;
  /// Gives each parameter its place, once the first program is there.
  void place(const Division& division);

  [[nodiscard]] const std::vector<nn::Parameter>& parameters() const { return parameters_; }
  [[nodiscard]] std::int64_t offset(int parameter) const;  ///< bytes
  [[nodiscard]] std::size_t bytes(int parameter) const;    ///< padding included
  [[nodiscard]] std::int64_t elements() const { return elements_; }
  [[nodiscard]] std::int64_t trainable_elements() const { return trainable_elements_; }
  /// Of those, what belongs to layers that are divided by samples.
  [[nodiscard]] std::int64_t divided_elements() const { return divided_elements_; }
  /// Elements of an arena on the outside: all parameters, or the trainable ones.
  [[nodiscard]] std::int64_t outside_elements(bool trainable_only) const;

  /// Copies an arena of parameters, or of something kept for the trainable ones.
  void read(const dnnl::engine& engine, const std::byte* arena, bool trainable_only,
            std::span<float> values) const;
  void write(const dnnl::engine& engine, std::span<const float> values, bool trainable_only,
             std::byte* arena) const;

 private:
  std::vector<nn::Parameter> parameters_;
  std::vector<std::optional<Layout>> layouts_;
  std::vector<std::int64_t> offsets_;  // bytes
  std::int64_t elements_ = 0, trainable_elements_ = 0, divided_elements_ = 0;
};

}  // namespace millrace::cpu
