#pragma once
// Kinds of layers from outside the library. A program that registers one can read models that have
// it, by its name; one that does not refuses them:
//   nn::register_layer_kind<Mish>();
// Models that a program builds itself need no registration.

#include <millrace/nn/layers/layer.h>

#include <optional>
#include <string_view>
#include <typeinfo>

namespace millrace::nn {

/// A kind with the options that it has by itself.
struct LayerEntry {
  LayerKind kind;
  const std::type_info* type;

  [[nodiscard]] const char* name() const { return kind.facts().name; }
};

/// See register_layer_kind<Kind>().
void register_layer_kind(const LayerEntry& entry);

/// Registering a kind again changes nothing. Throws UsageError if its name or its stem is
/// another kind's, or the name has something else in it than letters, digits, '_', '-' and '.'.
/// Thread-safe.
template <class Kind>
void register_layer_kind() {
  register_layer_kind({Kind{}, &typeid(Kind)});
}

/// The kind of that name, the library's or a registered one, with the options that it has by
/// itself; nothing if there is none. Thread-safe.
[[nodiscard]] std::optional<LayerKind> layer_kind(std::string_view name);

}  // namespace millrace::nn
