#pragma once
// Kinds of layers from outside the library. A program that registers one can read models that have
// it, by its name; one that does not refuses them:
//   nn::register_layer_kind(Mish{});
// Models that a program builds itself need no registration.

#include <millrace/nn/layers/layer.h>

#include <optional>
#include <string_view>

namespace millrace::nn {

/// `kind` has the options that a kind of its name has by itself. Registering the same again changes
/// nothing. Throws UsageError where the name or the stem is another kind's. Thread-safe.
void register_layer_kind(const LayerKind& kind);

/// The kind of that name, the library's or a registered one, with the options that it has by
/// itself; nothing if there is none. Thread-safe.
[[nodiscard]] std::optional<LayerKind> layer_kind(std::string_view name);

}  // namespace millrace::nn
