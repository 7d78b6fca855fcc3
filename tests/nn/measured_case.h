#pragma once
// The 1,000 random cases whose measures tests/reference/record_measures.py recorded from
// scikit-learn. A case is a function of its number, and made here as the script makes it.

#include <millrace/core/random.h>
#include <millrace/nn/metrics.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace millrace::test {

inline constexpr int kMeasuredCases = 1000;
inline constexpr std::uint64_t kMeasuredSeed = 18;

struct MeasuredCase {
  explicit MeasuredCase(int number)
      : random_(kMeasuredSeed, 0, static_cast<std::uint64_t>(number), Purpose::user) {
    const auto form = below(4);
    is_logit = form >= 2;
    classes = form % 2 == 1 ? 2 : 2 + below(6);
    width = form % 2 == 1 ? 1 : classes;
    const auto samples = 1 + below(60);
    constexpr std::int64_t kLevels[] = {4, 16, 1024};
    levels_ = kLevels[below(3)];
    const auto first = below(classes);
    const auto named = below(8) == 0 ? 1 : 2 + below(classes - 1);
    for (std::int64_t n = 0; n < samples; ++n) {
      labels.push_back(static_cast<std::int32_t>((first + below(named)) % classes));
    }
    for (std::int64_t n = 0; n < samples; ++n) {
      weights.push_back(static_cast<float>(1 + below(8)) / 4);
    }
    for (std::int64_t n = 0; n < samples; ++n) add_row();
  }

  [[nodiscard]] nn::OutputKind kind() const {
    if (!is_logit) return nn::OutputKind::probabilities;
    return width == 1 ? nn::OutputKind::sigmoid_logit : nn::OutputKind::softmax_logits;
  }

  bool is_logit = false;
  std::int64_t classes = 0, width = 0;  // width: outputs a sample
  std::vector<std::int32_t> labels;
  std::vector<float> weights;  // of samples, in the loss alone
  std::vector<float> outputs;  // [samples][width]

 private:
  std::int64_t below(std::int64_t n) {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(n)));
  }
  void add_row() {
    const auto shift = static_cast<float>(below(3));
    for (std::int64_t j = 0; j < width; ++j) {
      const std::int64_t level = below(levels_);
      const auto logit =
          static_cast<float>((level * 2 - levels_) * 4) / static_cast<float>(levels_);
      outputs.push_back(is_logit ? logit + static_cast<float>(j) / 4096 + shift
                                 : static_cast<float>(level) / static_cast<float>(levels_));
    }
  }

  Random random_;
  std::int64_t levels_ = 0;
};

/// What scikit-learn gives; NaN is what does not exist.
struct MeasuredValues {
  struct Figures {
    double precision, recall, f1, auc;
  };
  double accuracy, top2, loss;
  Figures macro, weighted;
  std::vector<Figures> classes;
};

/// Of all cases.
inline std::vector<MeasuredValues> measured_values() {
  static_assert(std::endian::native == std::endian::little);
  const std::string path = std::string(MILLRACE_TEST_DATA) + "/nn/measures.f64";
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), {}};
  std::size_t at = 0;
  const auto next = [&](auto& to) {
    if (at + sizeof to > bytes.size()) throw std::runtime_error(path + " ends too early");
    std::memcpy(&to, bytes.data() + at, sizeof to);
    at += sizeof to;
  };
  std::vector<MeasuredValues> values(kMeasuredCases);
  for (int number = 0; number < kMeasuredCases; ++number) {
    MeasuredValues& v = values[static_cast<std::size_t>(number)];
    for (double* value : {&v.accuracy, &v.top2, &v.loss}) next(*value);
    next(v.macro);
    next(v.weighted);
    v.classes.resize(static_cast<std::size_t>(MeasuredCase(number).classes));
    for (auto& figures : v.classes) next(figures);
  }
  if (at != bytes.size()) throw std::runtime_error(path + " holds more than its cases");
  return values;
}

/// Equal within 1e-9, or both do not exist.
inline bool is_measured(double value, double expected) {
  if (std::isnan(expected)) return std::isnan(value);
  return std::abs(value - expected) <= 1e-9;
}

}  // namespace millrace::test
