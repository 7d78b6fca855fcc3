#include <millrace/gpu/fake/recorder.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace millrace::gpu {
namespace recording {
namespace {

constexpr std::size_t kMostViolations = 200;

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

/// As in CUDA, all work that was queued has ended before memory is given back, which nobody waits
/// for where the device was abandoned.
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

}  // namespace recording

std::shared_ptr<RecordingDevice> RecordingDevice::make(Faults faults) {
  return std::make_shared<recording::HostDevice>(std::move(faults));
}

}  // namespace millrace::gpu
