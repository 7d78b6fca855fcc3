#include <millrace/io/dataset.h>

#include <millrace/core/error.h>
#include <millrace/core/shown_text.h>

#include <algorithm>
#include <cmath>

namespace millrace {

std::vector<std::string> Dataset::class_notes() const {
  if (classes().empty()) return {};  // samples without labels
  constexpr std::size_t kFew = 3;
  const std::vector<std::uint64_t> counts = count_classes(*this);
  std::vector<std::string> missing;
  for (std::size_t label = 0; label < counts.size(); ++label) {
    if (counts[label] == 0) missing.push_back(concat('\'', shown(classes()[label]), '\''));
  }
  const std::string what = concat(place().empty() ? "" : shown(place()) + ": ", "no ",
                                  dtype() == DType::u8 ? "images" : "rows", " of ");
  std::vector<std::string> notes;
  if (missing.size() <= kFew) {
    for (const std::string& name : missing) notes.push_back(concat(what, "the class ", name));
  } else {
    notes.push_back(concat(what, missing.size(), " of the ", counts.size(), " classes (",
                           missing[0], ", ", missing[1], ", ", missing[2], ", ...)"));
  }
  // Labels that begin with 1 are the commonest reason.
  if (missing.size() == 1 && missing.front() == "'0'") notes.back() += "; labels count from 0";
  return notes;
}

std::vector<std::uint64_t> count_classes(const Dataset& dataset) {
  std::vector<std::uint64_t> counts(dataset.classes().size());
  if (counts.empty()) return counts;
  for (std::uint32_t i = 0; i < dataset.size(); ++i) {
    ++counts[static_cast<std::size_t>(dataset.label(i))];
  }
  return counts;
}

std::vector<TargetRange> target_ranges(const Dataset& dataset) {
  std::vector<TargetRange> ranges(dataset.targets().size());
  std::vector<float> values(ranges.size());
  for (std::uint32_t i = 0; i < dataset.size() && !ranges.empty(); ++i) {
    dataset.target(i, values);
    for (std::size_t j = 0; j < values.size(); ++j) {
      const float value = values[j];
      if (std::isnan(value)) continue;
      TargetRange& range = ranges[j];
      range.least = range.known == 0 ? value : std::min(range.least, value);
      range.greatest = range.known == 0 ? value : std::max(range.greatest, value);
      range.is_label = range.is_label && (value == 0 || value == 1);
      range.mean += (static_cast<double>(value) - range.mean) / ++range.known;
    }
  }
  return ranges;
}

const std::vector<std::string>& Dataset::targets() const noexcept {
  static const std::vector<std::string> kNone;
  return kNone;
}

void Dataset::target(std::uint32_t, std::span<float> values) const {
  MILLRACE_CHECK(values.empty(), "a data set that has targets() has target(), too");
}

const LeftOut& Dataset::left_out() const noexcept {
  static const LeftOut kNothing;
  return kNothing;
}

}  // namespace millrace
