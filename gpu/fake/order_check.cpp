#include <millrace/gpu/fake/order_check.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>

namespace millrace::gpu::recording {

std::uint64_t& OrderCheck::at(Clock& clock, int stream) {
  const auto index = static_cast<std::size_t>(stream);
  if (clock.size() <= index) clock.resize(index + 1);
  return clock[index];
}

void OrderCheck::learn(Clock& clock, const Clock& from) {
  if (clock.size() < from.size()) clock.resize(from.size());
  std::transform(from.begin(), from.end(), clock.begin(), clock.begin(),
                 [](std::uint64_t a, std::uint64_t b) { return std::max(a, b); });
}

bool OrderCheck::knows(const Clock& clock, const Entry& entry) {
  const auto index = static_cast<std::size_t>(entry.stream);
  return index < clock.size() && clock[index] >= entry.number;
}

/// Work sees what had ended for the thread that queues it, besides its own stream.
OrderCheck::Clock& OrderCheck::clock_of_stream(const Recorded& recorded) {
  Clock& clock = streams_[recorded.stream];
  learn(clock, threads_[recorded.thread]);
  return clock;
}

std::uint64_t OrderCheck::work(const Recorded& work, std::vector<Conflict>& conflicts) {
  const std::uint64_t number = ++at(clock_of_stream(work), work.stream);
  const auto [name, is_new] = numbers_of_names_.try_emplace(work.name, std::ssize(names_));
  if (is_new) names_.push_back(work.name);
  const Entry entry{work.stream, number, name->second};
  for (const Access& access : work.accesses) {
    const auto begin = reinterpret_cast<std::uintptr_t>(access.begin);
    if (access.writes) {
      write(entry, begin, begin + access.bytes, conflicts);
    } else {
      read(entry, begin, begin + access.bytes, conflicts);
    }
  }
  return number;
}

void OrderCheck::record(const Recorded& record) {
  events_[record.event] = clock_of_stream(record);
}

// As in CUDA, an event that was never recorded orders nothing.
void OrderCheck::wait(const Recorded& wait) {
  const auto event = events_.find(wait.event);
  if (event != events_.end()) learn(streams_[wait.stream], event->second);
}

void OrderCheck::synchronize(const Recorded& synchronize) {
  const auto event = events_.find(synchronize.event);
  if (event != events_.end()) learn(threads_[synchronize.thread], event->second);
}

void OrderCheck::synchronize_all(std::uint64_t thread) {
  for (const auto& [stream, clock] : streams_) learn(threads_[thread], clock);
}

bool OrderCheck::knows(std::uint64_t thread, int stream, std::uint64_t number) const {
  const auto clock = threads_.find(thread);
  return clock != threads_.end() && knows(clock->second, Entry{stream, number, 0});
}

void OrderCheck::forget(const void* begin, std::size_t bytes) {
  const auto from = reinterpret_cast<std::uintptr_t>(begin);
  split(from);
  split(from + bytes);
  segments_.erase(segments_.lower_bound(from), segments_.lower_bound(from + bytes));
}

/// No segment reaches across `at` afterwards: accesses may overlap in part, as those of a batch's
/// rows and of the whole batch do.
void OrderCheck::split(std::uintptr_t at) {
  auto it = segments_.lower_bound(at);
  if (it == segments_.begin()) return;
  Segment& before = std::prev(it)->second;
  if (before.end <= at) return;
  Segment after = before;
  before.end = at;
  segments_.emplace_hint(it, at, std::move(after));
}

void OrderCheck::meet(const Entry& earlier, bool earlier_writes, const Entry& later,
                      bool later_writes, std::uintptr_t at, std::vector<Conflict>& conflicts) {
  if (earlier.stream < 0 || knows(streams_[later.stream], earlier)) return;
  const auto side = [this](const Entry& entry, bool writes) {
    return Conflict::Side{names_[static_cast<std::size_t>(entry.name)], entry.stream, writes};
  };
  conflicts.push_back({side(earlier, earlier_writes), side(later, later_writes),
                       reinterpret_cast<const void*>(at)});
}

void OrderCheck::write(const Entry& entry, std::uintptr_t begin, std::uintptr_t end,
                       std::vector<Conflict>& conflicts) {
  split(begin);
  split(end);
  const auto first = segments_.lower_bound(begin);
  const auto last = segments_.lower_bound(end);
  for (auto it = first; it != last; ++it) {
    const auto& [at, segment] = *it;
    meet(segment.write, true, entry, true, at, conflicts);
    for (const Entry& read : segment.reads) meet(read, false, entry, true, at, conflicts);
  }
  const auto after = segments_.erase(first, last);
  segments_.emplace_hint(after, begin, Segment{end, entry, {}});
}

void OrderCheck::read(const Entry& entry, std::uintptr_t begin, std::uintptr_t end,
                      std::vector<Conflict>& conflicts) {
  split(begin);
  split(end);
  std::uintptr_t at = begin;
  for (auto it = segments_.lower_bound(begin); at < end; at = it->second.end, ++it) {
    if (it == segments_.end() || it->first > at) {  // the first access of these bytes
      const std::uintptr_t gap_end = it == segments_.end() ? end : std::min(end, it->first);
      it = segments_.emplace_hint(it, at, Segment{gap_end, {}, {}});
    }
    Segment& segment = it->second;
    meet(segment.write, true, entry, false, at, conflicts);
    const auto same = std::find_if(segment.reads.begin(), segment.reads.end(),
                                   [&](const Entry& read) { return read.stream == entry.stream; });
    if (same != segment.reads.end()) {
      *same = entry;
    } else {
      segment.reads.push_back(entry);
    }
  }
}

}  // namespace millrace::gpu::recording
