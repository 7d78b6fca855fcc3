#include <millrace/gpu/fake/recorder.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>

namespace millrace::gpu {
namespace recording {
namespace {

constexpr std::size_t kMostViolations = 200;

/// Eight bytes at a time; any change of one word changes it.
std::uint64_t hash_of(const void* memory, std::size_t bytes) {
  std::uint64_t hash = bytes;
  const auto* const from = static_cast<const std::byte*>(memory);
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, from + at, std::min(sizeof word, bytes - at));
    hash = (hash ^ word) * 0x9E3779B97F4A7C15U;
    hash ^= hash >> 32;
  }
  return hash;
}

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

const char* to_string(Kind kind) noexcept {
  constexpr std::array names{"launch",  "convolution",   "matmul",      "copy",        "fill",
                             "graph",   "record",        "wait",        "synchronize", "allocate",
                             "release", "begin_capture", "end_capture", "plan",        "host"};
  return names[static_cast<std::size_t>(kind)];
}

std::uint64_t this_thread() noexcept {
  static std::atomic<std::uint64_t> next{0};
  thread_local const std::uint64_t number = next++;
  return number;
}

// ---- the record ---------------------------------------------------------------------------------

/// Adds to the record, unless the call is to fail.
Recorded& HostDevice::note(Recorded what) {
  what.thread = thread_number();
  const bool may_fail = what.kind != Kind::release && what.kind != Kind::host;
  if (may_fail && faults_.fails && faults_.fails(what)) {
    throw Error(concat("cuda: ", to_string(what.kind), what.name.empty() ? "" : " ", what.name,
                       " failed: a fault that was asked for"));
  }
  record_.push_back(std::move(what));
  return record_.back();
}

void HostDevice::violate(std::string line) {
  const bool is_known =
      std::find(violations_.begin(), violations_.end(), line) != violations_.end();
  if (!is_known && violations_.size() < kMostViolations) violations_.push_back(std::move(line));
}

void HostDevice::stop_of_host(const Recorded& what) {
  if (!stops_are_forbidden_) return;
  violate(concat(to_string(what.kind), what.name.empty() ? "" : " ", what.name,
                 ": within a step nothing may stop the host"));
}

/// What CUDA refuses to a thread that captures.
void HostDevice::forbid_in_capture(const Recorded& what) {
  const std::uint64_t thread = this_thread();
  if (std::find(capturing_threads_.begin(), capturing_threads_.end(), thread) !=
      capturing_threads_.end()) {
    throw Error(concat("cuda: ", to_string(what.kind), " ", what.name,
                       " failed: not permitted while this thread captures a stream"));
  }
}

// ---- memory -------------------------------------------------------------------------------------

Buffer HostDevice::allocate(Bytes size, const char* what, bool pinned) {
  const std::lock_guard lock(mutex_);
  const Recorded call{.kind = Kind::allocate, .name = what, .bytes = size.count};
  forbid_in_capture(call);
  stop_of_host(note(call));
  const Bytes free = faults_.memory - allocations_.device_bytes();
  if (!pinned && size > free) {
    throw OutOfDeviceMemory(concat("gpu: no memory for ", what, ": ", size, " asked for, ", free,
                                   " of ", faults_.memory, " free; choose a smaller batch"));
  }
  std::byte* const begin = allocations_.add(size, what, pinned);
  order_.forget(begin, size.count);
  return {begin, size, [self = shared_from_this()](std::byte* memory) { self->release(memory); }};
}

/// As in CUDA, all queued work ends before memory is released; an abandoned device is not waited
/// for.
void HostDevice::release(std::byte* memory) {
  const std::lock_guard lock(mutex_);
  Allocation* const allocation = allocations_.find(memory, 0);
  const std::size_t bytes = allocation->bytes;
  stop_of_host(note({.kind = Kind::release, .name = allocation->what, .bytes = bytes}));
  if (has_lost_ && !is_abandoned_ && !has_given_up_) {
    violate(concat("release of ", allocation->what, " would wait for a lost event"));
  }
  order_.synchronize_all(thread_number());
  settle(thread_number());
  order_.forget(memory, bytes);
  allocations_.remove(memory);
}

// ---- order --------------------------------------------------------------------------------------

void HostDevice::record(Event& event, Stream& stream) {
  const std::lock_guard lock(mutex_);
  auto& to = static_cast<HostEvent&>(event);
  auto& in = static_cast<HostStream&>(stream);
  in.refuse_in_capture("record");
  const Recorded& call = note({.kind = Kind::record,
                               .stream = in.number,
                               .event = to.number,
                               .generation = to.generation + 1});
  ++to.generation;
  to.time = Clock::now();
  in.is_lost = in.is_lost || (faults_.never_ends && faults_.never_ends(call));
  has_lost_ = has_lost_ || in.is_lost;
  to.is_lost = in.is_lost;
  order_.record(call);
}

void HostDevice::wait(Stream& stream, const Event& event) {
  const std::lock_guard lock(mutex_);
  const auto& of = static_cast<const HostEvent&>(event);
  auto& in = static_cast<HostStream&>(stream);
  in.refuse_in_capture("wait");
  const Recorded wanted{
      .kind = Kind::wait, .stream = in.number, .event = of.number, .generation = of.generation};
  if (faults_.forgets && faults_.forgets(wanted)) return;
  const Recorded& call = note(wanted);
  in.is_lost = in.is_lost || of.is_lost;
  order_.wait(call);
}

void HostDevice::synchronize(const Event& event) {
  std::unique_lock lock(mutex_);
  const auto& of = static_cast<const HostEvent&>(event);
  const Recorded call{.kind = Kind::synchronize,
                      .event = of.number,
                      .generation = of.generation,
                      .thread = thread_number()};
  forbid_in_capture(call);
  if (stops_are_forbidden_) {
    waiting_threads_.insert(call.thread);
    if (queuing_threads_.contains(call.thread)) stop_of_host(call);
  }
  note(call);
  if (of.is_lost) {
    given_up_.wait(lock, [this] { return has_given_up_; });
    throw Error("cuda: synchronize failed: the event was lost");
  }
  order_.synchronize(call);
  settle(call.thread);
}

void HostDevice::settle(std::uint64_t thread) {
  copies_.settle(
      [&](Place place) { return order_.knows(thread, place.stream, place.number); },
      [&](const void* from) {
        violate(concat("host memory changed while a copy read it: ", allocations_.place(from)));
      });
}

// ---- copies -------------------------------------------------------------------------------------

void PendingCopies::reads(Place place, const void* from, std::size_t bytes) {
  sources_.push_back({place, from, bytes, hash_of(from, bytes)});
}

void PendingCopies::writes(Place place, void* to, const void* from, std::size_t bytes) {
  const auto* const begin = static_cast<const std::byte*>(from);
  results_.push_back({place, to, {begin, begin + bytes}});
  std::memset(to, 0xFF, bytes);
}

void PendingCopies::settle(const std::function<bool(Place)>& has_ended,
                           const std::function<void(const void* from)>& changed) {
  std::erase_if(sources_, [&](const Source& source) {
    if (!has_ended(source.place)) return false;
    if (hash_of(source.from, source.bytes) != source.hash) changed(source.from);
    return true;
  });
  std::erase_if(results_, [&](const Result& result) {
    if (!has_ended(result.place)) return false;
    std::memcpy(result.to, result.bytes.data(), result.bytes.size());
    return true;
  });
}

void PendingCopies::deliver(const void* begin, std::size_t bytes) {
  const auto from = reinterpret_cast<std::uintptr_t>(begin);
  std::erase_if(results_, [&](const Result& result) {
    const auto to = reinterpret_cast<std::uintptr_t>(result.to);
    if (to >= from + bytes || from >= to + result.bytes.size()) return false;
    std::memcpy(result.to, result.bytes.data(), result.bytes.size());
    return true;
  });
}

// ---- time ---------------------------------------------------------------------------------------

double HostDevice::seconds_between(const Event& begin, const Event& end) {
  const std::lock_guard lock(mutex_);
  const auto& from = static_cast<const HostEvent&>(begin);
  const auto& to = static_cast<const HostEvent&>(end);
  for (const HostEvent* event : {&from, &to}) {
    if (!event->timed || event->generation == 0 || event->is_lost) {
      throw Error("cuda: elapsed time failed: both events must be timed, and have passed");
    }
  }
  return std::chrono::duration<double>(to.time - from.time).count();
}

double HostDevice::replay(const std::function<double(const Recorded&)>& duration) const {
  Clocks clocks;
  double end = 0;
  for (const Recorded& r : record()) {
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

}  // namespace recording

std::shared_ptr<RecordingDevice> RecordingDevice::make(Faults faults) {
  return std::make_shared<recording::HostDevice>(std::move(faults));
}

}  // namespace millrace::gpu
