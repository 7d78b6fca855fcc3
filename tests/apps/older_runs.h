#pragma once
// Runs and models that an older program left on disk (tests/data/runs,
// tests/reference/record_runs.sh), and how near ours comes to them.
//
// To the bit where the bits were seen to be the same: on x86-64 with AVX2 and FMA, which all our
// own kernels use alike, with oneDNN 2.6 and 3.7, held to SSE4.1 and to the algorithms that the
// runs name. Elsewhere within a tolerance; each case prints which of the two it did.

#include "apps/known_model.h"
#include "apps/train_run.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <string>

namespace millrace::test {

inline std::filesystem::path recorded() {
  return std::filesystem::absolute(MILLRACE_TEST_DATA) / "runs";
}

/// What the runs were recorded with (tests/reference/record_runs.sh).
inline RunOptions as_recorded(const Scratch& scratch) {
  return {.directory = recorded(),
          .environment = {{"ONEDNN_MAX_CPU_ISA", "SSE41"},
                          {"XDG_CACHE_HOME", (scratch / "cache").string()}}};
}

inline bool has_fused_arithmetic() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

/// Whether bits must be equal, by the line with which the program describes its device.
inline bool repeats_to_the_bit(const std::string& device) {
  const bool is_known = holds(device, "oneDNN 2.6.") || holds(device, "oneDNN 3.7.");
  const bool is_held = holds(device, "SSE4.1");
  const bool to_the_bit = has_fused_arithmetic() && is_known && is_held;
  std::cout << "older runs: compared " << (to_the_bit ? "to the bit" : "within a tolerance") << ": "
            << device.substr(std::min(device.find("oneDNN"), device.size()))
            << (has_fused_arithmetic() ? "" : ", without AVX2 and FMA") << '\n';
  return to_the_bit;
}

/// These runs' models normalise by batch, which was oneDNN's work then and is a loop of our own now
/// (docs/decisions.md): the same formula, in another order of sums.
inline bool has_batch_norm(const std::string& name) {
  return name == "convnet" || name == "frozen";
}

}  // namespace millrace::test
