// The names of kinds, paddings and initialisers.

#include <millrace/core/error.h>
#include <millrace/nn/model.h>

#include <array>
#include <utility>

namespace millrace::nn {
namespace {

// In the order of LayerKind's alternatives.
constexpr std::array<const char*, std::variant_size_v<LayerKind>> kKindNames{
    "dense", "conv2d",  "max_pool2d", "avg_pool2d", "global_avg_pool", "flatten",
    "relu",  "sigmoid", "softmax",    "dropout",    "batch_norm"};

constexpr std::array<std::pair<Initializer, const char*>, 8> kInitializers{{
    {Initializer::glorot_uniform, "glorot_uniform"},
    {Initializer::glorot_normal, "glorot_normal"},
    {Initializer::he_uniform, "he_uniform"},
    {Initializer::he_normal, "he_normal"},
    {Initializer::lecun_uniform, "lecun_uniform"},
    {Initializer::lecun_normal, "lecun_normal"},
    {Initializer::torch, "torch"},
    {Initializer::zeros, "zeros"},
}};

}  // namespace

const char* kind_name(const LayerKind& kind) noexcept {
  return kKindNames[kind.index()];
}

const char* to_string(Padding padding) noexcept {
  return padding == Padding::same ? "same" : "valid";
}

const char* to_string(Initializer initializer) noexcept {
  for (const auto& [value, name] : kInitializers) {
    if (value == initializer) return name;
  }
  return "?";
}

Initializer initializer_named(std::string_view name) {
  std::string known;
  for (const auto& [value, known_name] : kInitializers) {
    if (name == known_name) return value;
    known += known.empty() ? "" : ", ";
    known += known_name;
  }
  throw UsageError(concat("unknown initializer '", name, "'; known: ", known));
}

}  // namespace millrace::nn
