#pragma once
// Which samples a run could not read and left out, so that it can warn at its end if those are a
// whole class, or many.

#include <millrace/core/bytes.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/host_batch.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

/// A byte a sample. A sample that could be read once is not lost.
///
/// Thread safety: note() may be called by many threads at once.
class LostSamples {
 public:
  /// `validation` may be empty, or of the same data set.
  LostSamples(const SampleSet& training, const SampleSet& validation);

  void note(Phase phase, std::uint32_t index, bool is_lost) noexcept;
  [[nodiscard]] Bytes bytes() const noexcept;

  /// How many of a set's samples could not be read, and lines for the user: the classes of which
  /// none could be read, and a share above a tenth. `what` names the set: "training images".
  [[nodiscard]] std::uint64_t count(const SampleSet& set, Phase phase) const;
  [[nodiscard]] std::vector<std::string> warnings(const SampleSet& set, Phase phase,
                                                  std::string_view what) const;

 private:
  enum State : std::uint8_t { untried, read, lost };
  using States = std::vector<std::atomic<std::uint8_t>>;
  [[nodiscard]] const States& states(Phase phase) const noexcept;

  States training_, validation_;  // by number in the data set
  bool is_one_;                   // data set for both
};

}  // namespace millrace
