#pragma once
// Names of the steps that a model becomes on the CPU: which operations another one does.

#include <millrace/cpu/engine.h>

#include <algorithm>
#include <set>
#include <string>

namespace millrace::test {

using Names = std::set<std::string>;

inline const cpu::EngineOptions kOneThread{.threads = 1};

inline Names names_of(const nn::Executor& executor) {
  Names names;
  for (const nn::OpTiming& step : executor.timings()) names.insert(step.name);
  return names;
}

inline Names step_names(const nn::Model& model, bool training,
                        const cpu::EngineOptions& engine = kOneThread) {
  return names_of(*cpu::make_engine(engine)->compile(
      model, {.batch = 7, .other_batches = {3}, .training = training}));
}

/// Whether one begins so.
inline bool has(const Names& names, const std::string& part) {
  return std::ranges::any_of(names, [&](const std::string& name) { return name.find(part) == 0; });
}

}  // namespace millrace::test
