#include <millrace/nn/precision.h>

#include <millrace/core/error.h>

#include <array>
#include <utility>

namespace millrace::nn {
namespace {

constexpr std::array<std::pair<Precision, const char*>, 4> kNames{{
    {Precision::fp32, "fp32"},
    {Precision::tf32, "tf32"},
    {Precision::fp16, "fp16"},
    {Precision::bf16, "bf16"},
}};

}  // namespace

Precision precision_named(std::string_view name) {
  for (const auto& [precision, known] : kNames) {
    if (name == known) return precision;
  }
  throw UsageError(concat("unknown precision '", name, "'; known: fp32, tf32, fp16, bf16"));
}

const char* to_string(Precision precision) noexcept {
  for (const auto& [known, name] : kNames) {
    if (precision == known) return name;
  }
  return "?";
}

DType storage_of(Precision precision) noexcept {
  switch (precision) {
    case Precision::fp16: return DType::f16;
    case Precision::bf16: return DType::bf16;
    case Precision::fp32:
    case Precision::tf32: break;
  }
  return DType::f32;
}

}  // namespace millrace::nn
