#include <millrace/gpu/fake/record.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

namespace millrace::gpu::recording {
namespace {

/// Virtual seconds since the beginning.
struct Clocks {
  std::map<int, double> streams;                 // when what was queued so far has ended
  std::map<std::pair<int, int>, double> events;  // by number and generation
  std::map<std::uint64_t, double> threads;       // until when they have waited

  /// An event recorded before the record began is past.
  [[nodiscard]] double time_of_event(const Recorded& r) const {
    const auto it = events.find({r.event, r.generation});
    return it == events.end() ? 0 : it->second;
  }
};

}  // namespace

double replay(std::span<const Recorded> record,
              const std::function<double(const Recorded&)>& duration) {
  using Kind = Recorded::Kind;
  Clocks clocks;
  double end = 0;
  for (const Recorded& r : record) {
    if (r.captured) continue;
    double& thread = clocks.threads[r.thread];
    switch (r.kind) {
      case Kind::launch:
      case Kind::convolution:
      case Kind::matmul:
      case Kind::copy:
      case Kind::fill:
      case Kind::graph: {
        double& stream = clocks.streams[r.stream];
        stream = std::max(stream, thread) + duration(r);
        end = std::max(end, stream);
        break;
      }
      case Kind::record:
        clocks.events[{r.event, r.generation}] = std::max(clocks.streams[r.stream], thread);
        break;
      case Kind::wait: {
        double& stream = clocks.streams[r.stream];
        stream = std::max({stream, thread, clocks.time_of_event(r)});
        break;
      }
      case Kind::synchronize: thread = std::max(thread, clocks.time_of_event(r)); break;
      case Kind::allocate:
      case Kind::release:
      case Kind::begin_capture:
      case Kind::end_capture:
      case Kind::plan:
      case Kind::host: break;
    }
  }
  return end;
}

}  // namespace millrace::gpu::recording
