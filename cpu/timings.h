#pragma once
// Times of the ways to do an operation on this machine, kept between runs in a JSON file, so
// that a choice between them is made once and then stays the same.

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace millrace::cpu {

using Ways = std::map<std::string, double>;  ///< name of a way -> microseconds

struct TimingFiles {
  std::filesystem::path kept;   ///< read and written; empty: nothing is kept
  std::filesystem::path given;  ///< of a run: wins, whatever made it
  /// Nothing else is read and nothing is timed: what the given file lacks is done in the first way,
  /// as the run did it that wrote the file.
  bool given_alone = false;
};

/// Times of one processor, number of threads and version of the library; what the file says of
/// others is left as it is. Processes that use one file measure one after the other, and the first
/// one's times are everyone's. A file that cannot be read, or is none of ours, counts as empty; one
/// that cannot be written costs the next run its time, no more. Thread-safe.
class Timings {
 public:
  /// Gets what is known and returns it with more.
  using Measure = std::function<Ways(Ways)>;

  Timings(TimingFiles files, int threads);

  /// The times of an operation. Where `suffices` does not hold for those that are known, and there
  /// is a `measure`, it is called and what it returns is kept.
  [[nodiscard]] Ways find(const std::string& operation,
                          const std::function<bool(const Ways&)>& suffices, const Measure& measure);
  /// Whether what has no time here shall have none (TimingFiles::given_alone).
  [[nodiscard]] bool are_final() const noexcept { return files_.given_alone; }
  /// The operations that were asked for since this was made, as a file of its own; empty if there
  /// are none.
  [[nodiscard]] std::string used() const;

 private:
  using Operations = std::map<std::string, Ways>;
  [[nodiscard]] Ways known(const std::string& operation) const;
  void read_kept();
  void write_kept(const std::string& operation) const;

  TimingFiles files_;
  std::string owner_;  // "AMD EPYC 9654 25-17-1, AVX-512, 2 threads, oneDNN 2.6.3"
  mutable std::mutex mutex_;
  Operations operations_;
  std::set<std::string> used_;
};

}  // namespace millrace::cpu
