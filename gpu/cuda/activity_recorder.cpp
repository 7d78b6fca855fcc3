#include <millrace/gpu/activity.h>

#include <millrace/core/error.h>
#include <millrace/gpu/cuda/cuda_facts.h>
#include <millrace/gpu/cuda/libraries.h>

#if __has_include(<cupti.h>)
#include <cupti.h>
#define MILLRACE_HAS_CUPTI 1
#endif

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>

namespace millrace::gpu {

#if defined(MILLRACE_HAS_CUPTI)
namespace {

using Clock = Activity::Clock;
using Kind = Activity::Kind;

// Its major version is that of CUDA, and so is the layout of the records.
Library open_cupti() {
  static const std::string name = concat("libcupti.so.", CUDA_VERSION / 1000);
  return open_library({name.c_str()});
}

struct Cupti {
  Library library = open_cupti();
  std::string why_none;
  decltype(&cuptiActivityRegisterCallbacks) register_callbacks =
      find("cuptiActivityRegisterCallbacks");
  decltype(&cuptiActivityEnable) enable = find("cuptiActivityEnable");
  decltype(&cuptiActivityDisable) disable = find("cuptiActivityDisable");
  decltype(&cuptiActivityFlushAll) flush = find("cuptiActivityFlushAll");
  decltype(&cuptiActivityGetNextRecord) next_record = find("cuptiActivityGetNextRecord");
  decltype(&cuptiActivityGetNumDroppedRecords) dropped = find("cuptiActivityGetNumDroppedRecords");
  decltype(&cuptiGetTimestamp) timestamp = find("cuptiGetTimestamp");
  decltype(&cuptiGetResultString) result_string = find("cuptiGetResultString");

  Cupti() {
    if (library) return;
    why_none = concat("no CUPTI: ", library.why_none,
                      "; it comes with the CUDA toolkit and "
                      "the Python package nvidia-cuda-cupti");
  }
  [[nodiscard]] Symbol find(const char* name) {
    const Symbol symbol{library.symbol(name)};
    if (symbol.address == nullptr) why_none = concat("no CUPTI: ", library.path, " has no ", name);
    return symbol;
  }
  void check(CUptiResult result, const char* what) const {
    if (result == CUPTI_SUCCESS) return;
    const char* words = nullptr;
    (void)result_string(result, &words);
    throw Error(concat("CUPTI refuses ", what, ": ", words != nullptr ? words : "unknown error",
                       "; another profiler may be at work, or the driver reserves it for root"));
  }
};

const Cupti& cupti() {
  static const Cupti cupti;
  return cupti;
}

// CUPTI's callbacks know no context, so there is one recorder a process.
struct Collected {
  std::mutex mutex;  // guards the rest
  bool is_on = false;
  std::size_t most = 0;
  std::uint64_t lost = 0;
  std::int64_t to_steady_ns = 0;  // what CUPTI's times lack to be those of the steady clock
  std::vector<Activity> activities;
  std::set<std::string, std::less<>> names;
};

// Never destroyed: CUPTI may call back while the process ends.
Collected& collected() {
  static auto* const collected = new Collected;
  return *collected;
}

std::string_view interned(Collected& to, std::string_view name) {
  const auto found = to.names.find(name);
  return found != to.names.end() ? *found : *to.names.emplace(name).first;
}

void add(Collected& to, Kind kind, std::string_view name, std::uint32_t stream, std::uint64_t begin,
         std::uint64_t end, std::uint64_t bytes) {
  if (begin == 0 || end < begin) return;  // CUPTI had no memory for its time stamps
  if (to.activities.size() >= to.most) {
    ++to.lost;
    return;
  }
  const auto at = [&](std::uint64_t ns) {
    return Clock::time_point(std::chrono::duration_cast<Clock::duration>(
        std::chrono::nanoseconds(static_cast<std::int64_t>(ns) + to.to_steady_ns)));
  };
  to.activities.push_back({kind, interned(to, name), stream, at(begin), at(end), bytes});
}

void add_copy(Collected& to, const CUpti_ActivityMemcpy5& copy) {
  const auto of_kind = [&](Kind kind, const char* name) {
    add(to, kind, name, copy.streamId, copy.start, copy.end, copy.bytes);
  };
  switch (copy.copyKind) {
    case CUPTI_ACTIVITY_MEMCPY_KIND_HTOD: return of_kind(Kind::to_device, "copy to the device");
    case CUPTI_ACTIVITY_MEMCPY_KIND_DTOH: return of_kind(Kind::to_host, "copy to the host");
    default: return of_kind(Kind::on_device, "copy on the device");
  }
}

void add(Collected& to, const CUpti_Activity* record) {
  switch (record->kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL: {
      // Newer records have more behind what is read here.
      const auto& kernel = *reinterpret_cast<const CUpti_ActivityKernel9*>(record);
      add(to, Kind::kernel, kernel.name != nullptr ? kernel.name : "?", kernel.streamId,
          kernel.start, kernel.end, 0);
      break;
    }
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      add_copy(to, *reinterpret_cast<const CUpti_ActivityMemcpy5*>(record));
      break;
    case CUPTI_ACTIVITY_KIND_MEMSET: {
      const auto& fill = *reinterpret_cast<const CUpti_ActivityMemset4*>(record);
      add(to, Kind::fill, "fill", fill.streamId, fill.start, fill.end, fill.bytes);
      break;
    }
    case CUPTI_ACTIVITY_KIND_GRAPH_TRACE: {
      const auto& graph = *reinterpret_cast<const CUpti_ActivityGraphTrace*>(record);
      add(to, Kind::graph, concat("graph ", graph.graphId), graph.streamId, graph.start, graph.end,
          0);
      break;
    }
    default: break;
  }
}

void CUPTIAPI give_buffer(std::uint8_t** buffer, std::size_t* size, std::size_t* most) {
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(64, kBytes));
  *size = *buffer == nullptr ? 0 : kBytes;
  *most = 0;  // as many as fit
}

// An exception must not cross CUPTI; the only one that can come is that of full memory.
void CUPTIAPI take_buffer(CUcontext context, std::uint32_t stream, std::uint8_t* buffer,
                          std::size_t, std::size_t valid) noexcept {
  Collected& to = collected();
  {
    const std::scoped_lock lock(to.mutex);
    CUpti_Activity* record = nullptr;
    while (valid > 0 && cupti().next_record(buffer, valid, &record) == CUPTI_SUCCESS) {
      try {
        if (to.is_on) add(to, record);
      } catch (const std::bad_alloc&) {
        ++to.lost;
      }
    }
    std::size_t dropped = 0;
    if (cupti().dropped(context, stream, &dropped) == CUPTI_SUCCESS) to.lost += dropped;
  }
  std::free(buffer);
}

std::int64_t steady_offset() {
  std::uint64_t here = 0;
  cupti().check(cupti().timestamp(&here), "the time");
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
             .count() -
         static_cast<std::int64_t>(here);
}

// A graph is one record, or else its kernels are; never both.
std::vector<CUpti_ActivityKind> kinds(bool inside_graphs) {
  std::vector<CUpti_ActivityKind> kinds{CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                                        CUPTI_ACTIVITY_KIND_MEMCPY, CUPTI_ACTIVITY_KIND_MEMSET};
  if (!inside_graphs) kinds.push_back(CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
  return kinds;
}

void disable_all() {
  for (const auto kind : kinds(false)) (void)cupti().disable(kind);
}

void begin(const ActivityRecorder::Options& options) {
  static const CUptiResult registered = cupti().register_callbacks(give_buffer, take_buffer);
  cupti().check(registered, "its buffers");
  Collected& to = collected();
  {
    const std::scoped_lock lock(to.mutex);
    MILLRACE_CHECK(!to.is_on, "one recording of a GPU's activity at a time");
    to.is_on = true;
    to.most = options.most;
    to.lost = 0;
    to.activities.clear();
  }
  try {
    const std::int64_t offset = steady_offset();
    {
      const std::scoped_lock lock(to.mutex);
      to.to_steady_ns = offset;
    }
    for (const auto kind : kinds(options.inside_graphs)) {
      cupti().check(cupti().enable(kind), "to record");
    }
  } catch (...) {
    disable_all();
    const std::scoped_lock lock(to.mutex);
    to.is_on = false;
    throw;
  }
}

}  // namespace

ActivityRecorder::ActivityRecorder(const Options& options) {
  why_none_ = detail::count_devices().why_none;
  if (why_none_.empty()) why_none_ = cupti().why_none;
  if (!why_none_.empty()) return;
  try {
    begin(options);
    records_ = true;
  } catch (const Error& error) {
    why_none_ = error.what();
  }
}

std::vector<Activity> ActivityRecorder::stop() {
  if (!records_) return {};
  records_ = false;
  disable_all();
  (void)cupti().flush(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  Collected& from = collected();
  const std::scoped_lock lock(from.mutex);
  from.is_on = false;
  lost_ = from.lost;
  std::map<std::string_view, std::string_view> readable;
  for (Activity& activity : from.activities) {
    if (activity.kind != Kind::kernel) continue;
    auto& name = readable[activity.name];
    if (name.empty()) name = interned(from, readable_kernel(std::string(activity.name).c_str()));
    activity.name = name;
  }
  std::ranges::stable_sort(from.activities, {}, &Activity::begin);
  return std::move(from.activities);
}

#else

ActivityRecorder::ActivityRecorder(const Options&)
    : why_none_("no CUPTI: this program was built without its headers") {}

std::vector<Activity> ActivityRecorder::stop() {
  return {};
}

#endif

ActivityRecorder::~ActivityRecorder() {
  (void)stop();
}

}  // namespace millrace::gpu
