#include <millrace/io/generated.h>

#include <millrace/core/error.h>
#include <millrace/core/random.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

namespace millrace {
namespace {

constexpr std::string_view kPrefix = "generated:";
constexpr std::int64_t kMostValues = 1 << 26;  // of the patterns of all classes

/// Reads numbers between `separator`s. Empty if the text is anything else.
std::vector<std::uint64_t> numbers(std::string_view text, char separator) {
  std::vector<std::uint64_t> values;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    std::uint64_t value = 0;
    const auto read = std::from_chars(at, end, value);
    if (read.ec != std::errc{}) return {};
    values.push_back(value);
    if (read.ptr == end) return values;
    if (*read.ptr != separator) return {};
    at = read.ptr + 1;
  }
}

[[noreturn]] void refuse(std::string_view word) {
  throw UsageError(concat("'", word,
                          "': generated samples are written generated:NxHxWxC:CLASSES or "
                          "generated:NxFEATURES:CLASSES, then :SEED if wanted, for example "
                          "generated:1000x28x28x1:2"));
}

}  // namespace

bool is_generated(std::string_view word) noexcept {
  return word.substr(0, kPrefix.size()) == kPrefix;
}

GeneratedOptions parse_generated(std::string_view word) {
  if (!is_generated(word)) refuse(word);
  const std::string_view rest = word.substr(kPrefix.size());
  const std::size_t colon = std::min(rest.find(':'), rest.size());
  const std::vector<std::uint64_t> sizes = numbers(rest.substr(0, colon), 'x');
  if (colon == rest.size() || (sizes.size() != 2 && sizes.size() != 4)) refuse(word);
  const std::vector<std::uint64_t> others = numbers(rest.substr(colon + 1), ':');
  if (others.empty() || others.size() > 2) refuse(word);
  GeneratedOptions options;
  options.samples = static_cast<std::uint32_t>(sizes[0]);
  if (sizes[0] == 0 || options.samples != sizes[0]) refuse(word);
  for (const std::uint64_t value : std::span(sizes).subspan(1)) {
    if (value == 0 || value > static_cast<std::uint64_t>(kMostValues)) refuse(word);
  }
  const auto at = [&](std::size_t i) { return static_cast<std::int64_t>(sizes[i]); };
  options.sample = sizes.size() == 2 ? Shape{at(1)} : Shape{at(1), at(2), at(3)};
  if (others[0] > static_cast<std::uint64_t>(kMostValues)) refuse(word);
  options.classes = static_cast<std::int64_t>(others[0]);
  if (others.size() == 2) options.seed = others[1];
  return options;
}

GeneratedDataset::GeneratedDataset(GeneratedOptions options) : options_(std::move(options)) {
  const Shape& sample = options_.sample;
  const bool is_image = sample.rank() == 3 && (sample[2] == 1 || sample[2] == 3);
  if (!is_image && sample.rank() != 1) {
    throw UsageError(concat("generated samples have the shape HxWx1, HxWx3 or FEATURES, not ",
                            to_string(sample)));
  }
  if (options_.classes < 2) throw UsageError("generated samples are of 2 or more classes");
  if (sample.elements() > kMostValues / options_.classes) {
    throw UsageError(concat("generated samples of ", to_string(sample), " in ", options_.classes,
                            " classes are too large"));
  }
  const auto values = static_cast<std::size_t>(sample.elements());
  patterns_.resize(values * static_cast<std::size_t>(options_.classes));
  for (std::int64_t c = 0; c < options_.classes; ++c) {
    classes_.push_back(std::to_string(c));
    // Pass 1, so that a pattern shares no numbers with the sample of its number.
    Random random(options_.seed, 1, static_cast<std::uint64_t>(c), Purpose::synthetic);
    const std::size_t first = static_cast<std::size_t>(c) * values;
    for (std::size_t i = 0; i < values; ++i) {
      patterns_[first + i] = static_cast<std::uint8_t>(random.bits() >> 31);
    }
  }
}

std::string GeneratedDataset::name(std::uint32_t index) const {
  return concat("generated #", index);
}

void GeneratedDataset::load(std::uint32_t index, TensorView target, Filter, Decoder&) const {
  if (target.shape != options_.sample) {
    throw Error(concat("generated samples are ", to_string(options_.sample), ", not ",
                       to_string(target.shape), "; leave --size and --channels out"));
  }
  const auto values = static_cast<std::size_t>(options_.sample.elements());
  const std::uint8_t* pattern = patterns_.data() + static_cast<std::size_t>(label(index)) * values;
  Random random(options_.seed, 0, index, Purpose::synthetic);
  if (dtype() == DType::u8) {
    for (std::uint8_t& pixel : target.as<std::uint8_t>()) {
      pixel = static_cast<std::uint8_t>((random.bits() >> 24) * 15 / 16 + *pattern++ * 16U);
    }
    return;
  }
  for (float& feature : target.as<float>()) {
    feature = static_cast<float>(random.uniform(0, 15.0 / 16) + *pattern++ / 16.0);
  }
}

}  // namespace millrace
