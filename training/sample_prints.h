#pragma once
// Fingerprints of the samples of a run, so that others are not mistaken for them.

#include <millrace/nodes/directory_reader.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// A number that differs when samples came, went or changed their class. `classes` are the names
/// that labels stand for.
[[nodiscard]] std::string fingerprint(const SampleSet& set, std::span<const std::string> classes);
[[nodiscard]] std::string fingerprint(const SampleSet& set);  ///< under the classes of its data set

/// A number that differs, as good as surely, when the samples are others of the same names: of
/// what some of them hold, spread over the whole set. Up to 1,024 rows or images in memory; of
/// files the first 64 KiB of up to 64. One that cannot be read counts as that.
[[nodiscard]] std::string contents_print(const SampleSet& set);

/// The same of all that all of them hold, however much there is to read.
[[nodiscard]] std::string whole_contents_print(const SampleSet& set);

/// A number that differs, as good as surely, when a number does.
[[nodiscard]] std::string print_of(std::span<const float> numbers);

/// What a run's directory keeps of its samples, in data.json.
struct DataRecord {
  struct Prints {
    std::string samples;   ///< fingerprint()
    std::string contents;  ///< contents_print(), or empty if it is not known
  };
  Prints training, validation;
  bool is_share = false;  ///< validation is a share that was held out of one data set
  std::vector<std::string> class_names;  ///< that were given for numbers
};

[[nodiscard]] DataRecord record_of(const SampleSet& training, const SampleSet& validation,
                                   std::vector<std::string> class_names);
[[nodiscard]] std::string to_json(const DataRecord& record);
/// Throws Error that begins with `source`.
[[nodiscard]] DataRecord data_record_of(const std::string& json, const std::string& source);

/// "12 samples" or "1 sample", of a fingerprint.
[[nodiscard]] std::string count_in(const std::string& fingerprint);

}  // namespace millrace
