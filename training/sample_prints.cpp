#include <millrace/training/sample_prints.h>

#include <millrace/core/error.h>
#include <millrace/io/decode.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace millrace {
namespace {

/// FNV-1a: names of files are not secrets, and chance collisions at 64 bits do not matter.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) step(static_cast<unsigned char>(c));
    step(0);
  }
  void add(std::uint64_t number) {
    for (int i = 0; i < 8; ++i) step(static_cast<unsigned char>(number >> (8 * i)));
  }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void step(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3ULL; }
  std::uint64_t value_ = 0xcbf29ce484222325ULL;
};

/// All that are no number are one.
std::uint32_t bits_of(float value) {
  return std::isnan(value) ? 0x7fc00000U : std::bit_cast<std::uint32_t>(value);
}

std::string_view last_part(std::string_view path) {
  return path.substr(path.find_last_of('/') + 1);  // npos + 1 is 0: all of it
}

/// The beginning of a sample's file and its length; nothing of what is none.
std::string start_of(const Dataset& data, std::uint32_t sample) {
  constexpr std::size_t kEnough = 64 << 10;
  std::string bytes(kEnough, '\0');
  const auto start = data.read_start(sample, std::as_writable_bytes(std::span(bytes)));
  if (!start) return {};
  bytes.resize(start->read);
  return concat(bytes, start->length);
}

/// The same of all of it.
std::string all_of(const Dataset& data, std::uint32_t sample) {
  std::string bytes(64 << 10, '\0');
  while (true) {
    const auto start = data.read_start(sample, std::as_writable_bytes(std::span(bytes)));
    if (!start) return {};
    if (start->length <= bytes.size() || start->read < bytes.size()) {
      bytes.resize(start->read);
      return concat(bytes, start->length);
    }
    bytes.resize(static_cast<std::size_t>(start->length));
  }
}

/// The bytes of one sample as it is held, or where it lies in a file of its own the file's.
class Contents {
 public:
  explicit Contents(const Dataset& data, bool whole = false)
      : data_(data), shape_(data.natural_shape()), is_whole_(whole) {
    if (shape_.rank() > 0) {
      bytes_.resize(static_cast<std::size_t>(shape_.elements()) * size_of(data.dtype()));
    }
  }
  /// How many samples tell enough.
  [[nodiscard]] std::size_t enough() const {
    constexpr std::size_t kFewest = 64, kMost = 1024, kBytes = 16 << 20;
    return are_files() ? kFewest : std::clamp(kBytes / (bytes_.size() + 1), kFewest, kMost);
  }
  [[nodiscard]] std::string operator()(std::uint32_t sample) {
    if (are_files()) return is_whole_ ? all_of(data_, sample) : start_of(data_, sample);
    try {
      data_.load(sample, TensorView(bytes_.data(), shape_, data_.dtype()), Filter::nearest,
                 decoder_);
    } catch (const Error&) {
      return {};
    }
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }

 private:
  [[nodiscard]] bool are_files() const { return shape_.rank() == 0; }

  const Dataset& data_;
  Shape shape_;
  bool is_whole_;
  std::vector<std::byte> bytes_;
  Decoder decoder_;
};

}  // namespace

std::string fingerprint(const SampleSet& set, std::span<const std::string> classes) {
  if (set.size() == 0) return "no samples";
  const Dataset& data = *set.dataset;
  Hash hash;
  for (const std::string& name : classes) hash.add(name);
  for (const std::string& name : data.targets()) hash.add(name);
  std::vector<float> targets(data.targets().size());
  for (const std::uint32_t sample : set.samples) {
    hash.add(last_part(data.name(sample)));  // a data set may be moved
    if (targets.empty()) {
      hash.add(static_cast<std::uint64_t>(data.label(sample)));
    } else {
      data.target(sample, targets);
      for (const float target : targets) hash.add(std::uint64_t{bits_of(target)});
    }
  }
  return concat(set.size(), " samples, ", hash.value());
}

std::string fingerprint(const SampleSet& set) {
  if (set.size() == 0) return "no samples";
  return fingerprint(set, set.dataset->classes());
}

namespace {

/// Of `count` samples that are spread over the set.
std::string print_of(const SampleSet& set, std::uint64_t count, Contents& contents) {
  const std::uint64_t size = set.size();
  Hash hash;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string bytes = contents(set.samples[static_cast<std::size_t>(i * size / count)]);
    hash.add(std::uint64_t{bytes.size()});
    hash.add(bytes);
  }
  return concat(count, ", ", hash.value());
}

}  // namespace

std::string contents_print(const SampleSet& set) {
  if (set.size() == 0) return "nothing";
  Contents contents(*set.dataset);
  const std::uint64_t count = std::min<std::uint64_t>(set.size(), contents.enough());
  return print_of(set, count, contents);
}

std::string whole_contents_print(const SampleSet& set) {
  if (set.size() == 0) return "nothing";
  Contents contents(*set.dataset, true);
  return print_of(set, set.size(), contents);
}

std::string print_of(std::span<const float> numbers) {
  Hash hash;
  hash.add(std::string_view(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()));
  return concat(numbers.size(), ", ", hash.value());
}

DataRecord record_of(const SampleSet& training, const SampleSet& validation,
                     std::vector<std::string> class_names) {
  const auto prints = [](const SampleSet& set) {
    return DataRecord::Prints{fingerprint(set), contents_print(set)};
  };
  const bool is_share = validation.size() > 0 && validation.dataset == training.dataset;
  return {prints(training), prints(validation), is_share, std::move(class_names)};
}

std::string to_json(const DataRecord& record) {
  const auto prints = [](const DataRecord::Prints& p) {
    return nlohmann::ordered_json{{"samples", p.samples}, {"contents", p.contents}};
  };
  nlohmann::ordered_json json{{"training", prints(record.training)},
                              {"validation", prints(record.validation)},
                              {"held_out", record.is_share}};
  if (!record.class_names.empty()) json["class_names"] = record.class_names;
  return json.dump(1) + '\n';
}

DataRecord data_record_of(const std::string& text, const std::string& source) {
  try {
    const auto json = nlohmann::json::parse(text);
    const auto prints = [&](const char* name) {
      const nlohmann::json& p = json.at(name);
      return DataRecord::Prints{p.at("samples").get<std::string>(),
                                p.at("contents").get<std::string>()};
    };
    return {prints("training"), prints("validation"), json.at("held_out").get<bool>(),
            json.value("class_names", std::vector<std::string>())};
  } catch (const nlohmann::json::exception&) {
    throw Error(concat(source, ": does not identify the run's samples; it is damaged"));
  }
}

std::string count_in(const std::string& fingerprint) {
  const std::string count = fingerprint.substr(0, fingerprint.rfind(','));
  return count == "1 samples" ? "1 sample" : count;  // as fingerprints have always been written
}

}  // namespace millrace
