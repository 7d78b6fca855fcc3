#pragma once
// What tests of single kinds of layers on an engine beside float64 have in common.

#include <millrace/nn/engine.h>
#include <millrace/nn/model.h>

#include <cstdint>
#include <vector>

namespace millrace::test {

inline const nn::CompileOptions kSeven{.batch = 7, .optimizer = {.learning_rate = 0.1}};
inline const std::vector<std::int64_t> kFullAndShort{7, 3, 1};

/// What every model of images ends in here.
inline nn::Model classified(nn::ModelBuilder& builder) {
  return builder.flatten().dense(4).softmax().build();
}

}  // namespace millrace::test
