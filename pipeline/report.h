#pragma once
// What a run did, as seen from outside: per stage the items, the time it worked and the time it had
// nothing to work on, and which stage set the pace.

#include <millrace/pipeline/stage.h>

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace millrace {

struct StageReport {
  std::string name{};
  std::string kind{};
  int concurrency = 1;
  int workers = 1;            ///< threads that can work in the stage at a time
  std::uint64_t items = 0;    ///< calls that returned
  std::uint64_t skipped = 0;  ///< items or parts of items that failed and were left out
  std::uint64_t retried = 0;  ///< calls for an item whose call before had failed
  double busy_s = 0;          ///< in the body, summed over concurrent calls
  double starved_s = 0;       ///< with nothing to work on, from the start to its last item
  double blocked_s = 0;       ///< sources: waiting for a free slot
  double p50_ms = 0, p99_ms = 0, max_ms = 0;  ///< of one call; quantiles within 5 %
  std::uint64_t peak_queue = 0;               ///< most items waiting or in work at a time
  std::uint64_t peak_in_flight = 0;  ///< most items whose work had begun and continued elsewhere
  double device_s = 0;               ///< what that work took on a device, by its own clock
  std::uint64_t emitted = 0;         ///< sources: how many items came out, in this run
  /// Sources of slots(): where to resume, counted as `begin` was. All items before it have passed
  /// all stages; a run that came to its end has none after it. Of those after it some may have
  /// passed too, where stages work on several items at a time, or the source feeds several
  /// ends.
  std::optional<Position> next{};
};

struct Report {
  std::string name;
  double wall_s = 0;
  std::chrono::steady_clock::time_point begin{};  ///< of the run; times in its trace count from it
  int threads = 0;
  bool stopped = false;  ///< ended early by a stop request; what was in flight was dropped
  std::vector<StageReport> stages;
  std::vector<std::string> skipped;     ///< the first 20 different reasons
  std::uint64_t trace_events_lost = 0;  ///< did not fit into the trace
  /// Further lines that a reader of the report must know; added by the caller of run().
  std::vector<std::string> remarks{};

  /// The stage that was busy for the largest share of what its concurrency allows, or whose work
  /// kept a device busy for the largest share of the time.
  [[nodiscard]] std::string bottleneck() const;
  [[nodiscard]] const StageReport& stage(const std::string& stage_name) const;  ///< throws Error
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string json() const;
};

std::ostream& operator<<(std::ostream& out, const Report& report);

}  // namespace millrace
