#include <millrace/io/split.h>

#include <millrace/core/random.h>

#include <algorithm>
#include <cmath>

namespace millrace {
namespace {

std::size_t count_for_validation(std::size_t n, double fraction) {
  if (n < 2 || fraction == 0.0) return 0;
  // 100 * 0.29 is a hair under 29; nobody means 28.
  const auto drawn = static_cast<std::size_t>(std::floor(static_cast<double>(n) * fraction + 1e-6));
  return std::clamp<std::size_t>(drawn, 1, n - 1);
}

}  // namespace

Split split(std::span<const std::int32_t> labels, double fraction, std::uint64_t seed) {
  if (!(fraction >= 0.0 && fraction < 1.0)) {
    throw UsageError(
        concat("validation split of ", fraction, "; choose 0 or more and less than 1"));
  }
  std::vector<std::vector<std::uint32_t>> by_class;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    MILLRACE_CHECK(labels[i] >= 0, "label ", labels[i], " of sample ", i);
    const auto label = static_cast<std::size_t>(labels[i]);
    if (label >= by_class.size()) by_class.resize(label + 1);
    by_class[label].push_back(static_cast<std::uint32_t>(i));
  }
  Split result;
  for (std::size_t label = 0; label < by_class.size(); ++label) {
    std::vector<std::uint32_t>& samples = by_class[label];
    shuffle(samples, Random(seed, 0, label, Purpose::split));
    const auto middle = samples.begin() +
                        static_cast<std::ptrdiff_t>(count_for_validation(samples.size(), fraction));
    result.validation.insert(result.validation.end(), samples.begin(), middle);
    result.train.insert(result.train.end(), middle, samples.end());
  }
  for (auto* side : {&result.train, &result.validation}) {
    std::sort(side->begin(), side->end());
    side->shrink_to_fit();
  }
  return result;
}

Split split(const Dataset& dataset, double fraction, std::uint64_t seed) {
  std::vector<std::int32_t> labels(dataset.size());  // of targets: all are of one kind
  const bool has_classes = dataset.targets().empty();
  for (std::uint32_t i = 0; i < dataset.size() && has_classes; ++i) labels[i] = dataset.label(i);
  return split(labels, fraction, seed);
}

}  // namespace millrace
