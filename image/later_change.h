#pragma once
// The interface of augmentations that follow those of Keras's generator, one file for each: a
// struct of options with
//   bool is_identity() const noexcept                 nothing ever changes
//   void check(const AugmentChecker& must) const      throws UsageError
//   template <class Sample>
//   void operator()(BasicImageView<Sample> image, const RandomKey& key) const
// whose random numbers have their own Purpose (core/random.h). It is a field of
// AugmentOptions, a place in kLaterChanges beside it, and rows in training/options/images.cpp.

#include <millrace/core/random.h>
#include <millrace/image/image.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace {

/// [low, high].
struct Interval {
  double low = 0, high = 0;
};

/// The image and the run for which numbers are chosen.
struct RandomKey {
  std::uint64_t seed = 0;
  std::uint32_t pass = 0;      ///< through the data
  std::uint64_t position = 0;  ///< position in the pass

  [[nodiscard]] Random random(Purpose purpose) const noexcept {
    return {seed, pass, position, purpose};
  }
};

/// Refuses with one line: the prefix, the option with hyphens, what it must be, what it is.
struct AugmentChecker {
  std::string_view prefix;

  template <class Value>
  [[noreturn]] void refuse(const char* option, const char* range, const Value& value) const {
    throw UsageError(concat(prefix, option, " must be ", range, ", not ", value));
  }
  /// In [0, most], which `words` says.
  void range(const char* option, double value, double most, const char* words) const {
    if (!is_within(value, 0, most)) refuse(option, words, value);
  }
  /// The ends in order, and none above `most`.
  void interval(const char* option, Interval interval, double most) const {
    if (!(interval.low <= interval.high)) {
      refuse(option, "LOW,HIGH with LOW at most HIGH", concat(interval.low, ',', interval.high));
    }
    if (interval.high > most) refuse(option, concat("at most ", most).c_str(), interval.high);
  }

  [[nodiscard]] static bool is_within(double value, double low, double high) noexcept {
    return value >= low && value <= high;  // false for what is not a number
  }
};

}  // namespace millrace
