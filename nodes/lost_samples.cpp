#include <millrace/nodes/lost_samples.h>

#include <millrace/core/error.h>

#include <algorithm>

namespace millrace {
namespace {

constexpr std::size_t kMostClasses = 5;  // named in one line

std::size_t size_of(const SampleSet& set) {
  return set.size() == 0 ? 0 : set.dataset->size();
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  const std::uint64_t tenths = (part * 1000 + whole / 2) / whole;
  return concat(tenths / 10, '.', tenths % 10, " %");
}

std::string quoted(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostClasses); ++i) {
    text += concat(i == 0 ? "'" : ", '", names[i], "'");
  }
  if (names.size() > kMostClasses) text += concat(" and ", names.size() - kMostClasses, " more");
  return text;
}

}  // namespace

LostSamples::LostSamples(const SampleSet& training, const SampleSet& validation)
    : training_(size_of(training)),
      validation_(training.dataset == validation.dataset ? 0 : size_of(validation)),
      is_one_(training.dataset == validation.dataset) {}

const LostSamples::States& LostSamples::states(Phase phase) const noexcept {
  return phase == Phase::training || is_one_ ? training_ : validation_;
}

void LostSamples::note(Phase phase, std::uint32_t index, bool is_lost) noexcept {
  States& all = phase == Phase::training || is_one_ ? training_ : validation_;
  std::atomic<std::uint8_t>& state = all[index];
  if (!is_lost)
    state.store(read, std::memory_order_relaxed);
  else if (state.load(std::memory_order_relaxed) == untried)
    state.store(lost, std::memory_order_relaxed);
}

Bytes LostSamples::bytes() const noexcept {
  return {training_.size() + validation_.size()};
}

std::uint64_t LostSamples::count(const SampleSet& set, Phase phase) const {
  const States& all = states(phase);
  return static_cast<std::uint64_t>(
      std::count_if(set.samples.begin(), set.samples.end(),
                    [&](std::uint32_t i) { return all[i].load() == lost; }));
}

std::vector<std::string> LostSamples::warnings(const SampleSet& set, Phase phase,
                                               std::string_view what) const {
  const std::uint64_t missing = count(set, phase);
  if (missing == 0) return {};
  const States& all = states(phase);
  const std::vector<std::string>& classes = set.dataset->classes();
  std::vector<std::uint64_t> left(classes.size()), gone(classes.size());
  std::uint64_t tried = 0;
  for (const std::uint32_t i : set.samples) {
    const std::uint8_t state = all[i].load();
    tried += state == untried ? 0 : 1;
    if (classes.empty()) continue;
    ++(state == lost ? gone : left)[static_cast<std::size_t>(set.dataset->label(i))];
  }
  std::vector<std::string> empty;
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (gone[c] > 0 && left[c] == 0) empty.push_back(classes[c]);
  }
  std::vector<std::string> lines;
  if (!empty.empty()) {
    lines.push_back(concat("none of the ", what, " of the class", empty.size() > 1 ? "es " : " ",
                           quoted(empty), " could be read"));
  }
  if (missing * 10 > tried) {
    lines.push_back(
        concat(missing, " of ", tried, ' ', what, " could not be read, ", percent(missing, tried)));
  }
  return lines;
}

}  // namespace millrace
