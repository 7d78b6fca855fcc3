#pragma once
// What a GPU did when: recorded by CUPTI if available, summed up for the report, and written
// into the trace of a run.

#include <millrace/core/bytes.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::gpu {

struct Activity {
  using Clock = std::chrono::steady_clock;
  enum class Kind { kernel, graph, to_device, to_host, on_device, fill };

  Kind kind{};
  std::string_view name{};  ///< lives as long as the process
  std::uint32_t stream = 0;
  Clock::time_point begin{}, end{};
  std::uint64_t bytes = 0;  ///< of copies and fills
};

/// Seconds of the device's work between two points in time. Work at the same time counts once in
/// busy_s, compute_s and copy_s.
struct ActivitySummary {
  struct Share {
    std::string name;
    std::uint64_t calls = 0;
    double seconds = 0;  ///< of all calls, at the same time or not
  };
  double span_s = 0;
  double busy_s = 0;     ///< anything ran
  double compute_s = 0;  ///< kernels, graphs or fills ran
  double copy_s = 0;     ///< copies ran
  double overlap_s = 0;  ///< copies ran during compute
  Bytes to_device, to_host, on_device;
  std::uint64_t kernels = 0, graphs = 0, copies = 0;
  std::vector<Share> shares;  ///< kernels and graphs by name, the longest first

  [[nodiscard]] double idle_s() const { return span_s - busy_s; }
  [[nodiscard]] double busy() const { return span_s > 0 ? busy_s / span_s : 0; }  ///< 0 to 1
  /// The part of the copies that ran during compute, 0 to 1; 1 where there were none.
  [[nodiscard]] double overlap() const { return copy_s > 0 ? overlap_s / copy_s : 1; }
};

/// What lies partly outside of [begin, end] counts with its part inside.
[[nodiscard]] ActivitySummary summarize(std::span<const Activity> activities,
                                        Activity::Clock::time_point begin,
                                        Activity::Clock::time_point end);
/// A few readable lines: how busy, how much copied and beside what, the longest kernels.
[[nodiscard]] std::string to_text(const ActivitySummary& summary);

/// Events of Chrome's trace format, with ",\n" between them: a process "GPU" with a track a stream,
/// times in microseconds since `origin`.
[[nodiscard]] std::string trace_events(std::span<const Activity> activities,
                                       Activity::Clock::time_point origin);
/// Adds them to the trace that a pipeline wrote. Throws Error naming the file.
void add_to_trace(const std::filesystem::path& trace, std::span<const Activity> activities,
                  Activity::Clock::time_point origin);

/// "void millrace::f<float>(int*)" of "_ZN8millrace...": without result and parameters,
/// "millrace::f<float>". What is no mangled name stays as it is.
[[nodiscard]] std::string readable_kernel(const char* name);

/// Records from its making until stop(). One at a time in a process. Not thread-safe.
class ActivityRecorder {
 public:
  struct Options {
    /// Graphs as the kernels that they hold: more to see, and graphs start later.
    bool inside_graphs = false;
    std::size_t most = std::size_t{1} << 20;  ///< what comes later is counted and lost
  };
  /// Does nothing without a GPU, and where CUPTI is missing or may not be used; why_none() then
  /// says so.
  ActivityRecorder() : ActivityRecorder(Options{}) {}
  explicit ActivityRecorder(const Options& options);
  ~ActivityRecorder();
  ActivityRecorder(const ActivityRecorder&) = delete;
  ActivityRecorder& operator=(const ActivityRecorder&) = delete;

  /// One line; empty: it records.
  [[nodiscard]] const std::string& why_none() const noexcept { return why_none_; }
  /// What was recorded, in the order of its beginning. Wait for the device before: work under way
  /// may be missing. Nothing if it does not record, and the second time.
  [[nodiscard]] std::vector<Activity> stop();
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }  ///< known after stop()

 private:
  std::string why_none_;
  std::uint64_t lost_ = 0;
  bool records_ = false;
};

}  // namespace millrace::gpu
