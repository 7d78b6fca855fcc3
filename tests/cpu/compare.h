#pragma once
// Models on oneDNN beside the float64 reference.

#include <millrace/cpu/engine.h>
#include <millrace/nn/reference_engine.h>

#include <cstdint>
#include <string>
#include <vector>

#include "engines/compare.h"

namespace millrace::test {

/// One thread by default: on a busy machine OpenMP's threads wait for each other far longer than
/// such small models take.
inline void check_model(const nn::Model& model, const nn::CompileOptions& options,
                        const std::vector<std::int64_t>& samples,
                        const cpu::EngineOptions& engine = {.threads = 1}) {
  check_model(*cpu::make_engine(engine), nn::ReferenceEngine(), model, options, samples);
}

/// Whether the library offers Winograd's algorithm for training: oneDNN 2 has it for AVX-512 only,
/// oneDNN 3.2 and later have none.
inline bool has_winograd(const cpu::EngineOptions& options) {
  const std::string description = cpu::make_engine(options)->description();
  return description.find("oneDNN 2.") != std::string::npos &&
         description.find("AVX-512") != std::string::npos;
}

}  // namespace millrace::test
