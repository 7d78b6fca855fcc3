#include "apps/recorded_run.h"

#include <millrace/core/error.h>

#include <algorithm>
#include <set>

namespace millrace::test {
namespace {

using gpu::Recorded;
using Kind = Recorded::Kind;
using Call = StageCall;

const std::string kBegin = "begin ";

std::pair<int, int> event_of(const Recorded& entry) {
  return {entry.event, entry.generation};
}

/// Of the first copy to the device: what it reads and what it writes.
const Recorded& pixels_of(const std::vector<Recorded>& record, const Call& copy) {
  for (const std::size_t at : copy.entries) {
    if (record[at].kind == Kind::copy && record[at].accesses.size() == 2) return record[at];
  }
  throw Error("a call of the stage copy copies nothing");
}

bool lies_in(const void* at, const gpu::Access& memory) {
  const auto* const begin = static_cast<const std::byte*>(memory.begin);
  const auto* const byte = static_cast<const std::byte*>(at);
  return byte >= begin && byte < begin + memory.bytes;
}

/// Whether the call works on memory that begins there.
bool touches(const std::vector<Recorded>& record, const Call& call, const void* begin) {
  return std::ranges::any_of(call.entries, [&](std::size_t at) {
    return std::ranges::any_of(record[at].accesses,
                               [&](const gpu::Access& access) { return access.begin == begin; });
  });
}

}  // namespace

std::vector<StageCall> stage_calls(const std::vector<Recorded>& record) {
  std::vector<Call> ended;
  std::map<std::uint64_t, Call> open;  // by thread
  for (std::size_t at = 0; at < record.size(); ++at) {
    const Recorded& entry = record[at];
    const bool begins = entry.kind == Kind::host && entry.name.rfind(kBegin, 0) == 0;
    if (begins) {
      open[entry.thread] = {.stage = entry.name.substr(kBegin.size()), .begin = at};
    } else if (const auto call = open.find(entry.thread); call == open.end()) {
      continue;  // of a thread that is no stage's
    } else if (entry.kind == Kind::host && entry.name == "end") {
      call->second.end = at;
      ended.push_back(std::move(call->second));
      open.erase(call);
    } else {
      call->second.entries.push_back(at);
    }
  }
  std::ranges::sort(ended, {}, &Call::begin);
  return ended;
}

RecordedRun::RecordedRun(std::vector<Recorded> record) : record_(std::move(record)) {
  find_batches(stage_calls(record_));
}

RecordedRun::Known RecordedRun::known_after(const Call& call) const {
  const auto last = std::find_if(call.entries.rbegin(), call.entries.rend(),
                                 [&](std::size_t at) { return record_[at].kind == Kind::record; });
  if (last == call.entries.rend()) throw Error(concat("a call of ", call.stage, " marks no end"));
  const std::pair<int, int> event = event_of(record_[*last]);
  for (std::size_t at = *last; at < record_.size(); ++at) {
    const Recorded& entry = record_[at];
    if (entry.kind == Kind::synchronize && event_of(entry) == event) {
      return {at, entry.thread, event};
    }
  }
  throw Error(concat("nobody learns of the end of a call of ", call.stage));
}

void RecordedRun::find_batches(const std::vector<Call>& calls) {
  std::map<std::string, std::vector<Call>> of;
  for (const Call& call : calls) of[call.stage].push_back(call);
  const std::size_t count = of["copy"].size();
  for (const char* stage : {"cast", "train", "log"}) {
    if (of[stage].size() != count) {
      throw Error(concat(of[stage].size(), " calls of ", stage, " for ", count, " batches"));
    }
  }
  std::map<const void*, int> last_on_host, last_on_device;
  const auto take = [](std::map<const void*, int>& last, const void* slot, int batch) {
    const auto [before, is_first] = last.try_emplace(slot, batch);
    return is_first ? -1 : std::exchange(before->second, batch);
  };
  for (std::size_t n = 0; n < count; ++n) {
    Batch batch{
        .copy = of["copy"][n], .cast = of["cast"][n], .step = of["train"][n], .left = of["log"][n]};
    const Recorded& pixels = pixels_of(record_, batch.copy);
    batch.host_slot = pixels.accesses[0].begin;
    batch.device_slot = pixels.accesses[1].begin;
    batch.copied = known_after(batch.copy);
    batch.ready = known_after(batch.cast);
    batch.before_on_host = take(last_on_host, batch.host_slot, static_cast<int>(n));
    batch.before_on_device = take(last_on_device, batch.device_slot, static_cast<int>(n));
    for (const char* stage : {"prune", "callbacks", "snapshot"}) {
      if (of[stage].size() == count) batch.behind_step.push_back(of[stage][n]);
    }
    batches_.push_back(std::move(batch));
  }
  for (const Call& read : of["decode"]) {  // of the batch that is copied from there next
    if (read.entries.empty()) continue;
    const void* const row = record_[read.entries.front()].accesses.at(0).begin;
    const auto batch = std::ranges::find_if(batches_, [&](const Batch& b) {
      return b.copy.begin > read.begin && lies_in(row, pixels_of(record_, b.copy).accesses[0]);
    });
    if (batch == batches_.end()) throw Error("what a call of decode read is not copied");
    batch->reads.push_back(read);
  }
}

bool RecordedRun::waits(const Call& call, const Recorded& mark) const {
  for (std::size_t at = call.begin; at < call.end; ++at) {
    const Recorded& entry = record_[at];
    if (entry.kind == Kind::synchronize && event_of(entry) == event_of(mark)) return true;
  }
  return false;
}

std::size_t RecordedRun::host_slots() const {
  std::set<const void*> slots;
  for (const Batch& batch : batches_) slots.insert(batch.host_slot);
  return slots.size();
}

std::size_t RecordedRun::device_slots() const {
  std::set<const void*> slots;
  for (const Batch& batch : batches_) slots.insert(batch.device_slot);
  return slots.size();
}

std::vector<std::string> RecordedRun::broken() const {
  std::vector<std::string> lines;
  const auto require = [&](bool holds, std::size_t batch, const char* what) {
    if (!holds) lines.push_back(concat("batch ", batch, ": ", what));
  };
  for (std::size_t n = 0; n < batches_.size(); ++n) {
    const Batch& b = batches_[n];
    require(!b.reads.empty(), n, "nobody read it");
    const auto before = [&](int index) -> const Batch& {
      return batches_[static_cast<std::size_t>(index)];
    };
    for (const Call& read : b.reads) {
      require(read.end < b.copy.begin, n, "it is copied while it is read");
      if (b.before_on_host < 0) continue;
      require(before(b.before_on_host).left.end < read.begin, n,
              "it is read into a slot that another batch has not left");
    }
    if (b.before_on_device >= 0) {
      require(before(b.before_on_device).step.end < b.copy.begin, n,
              "it is copied to a slot before the step there was queued");
    }
    require(b.copied.at < b.cast.begin, n, "its cast does not wait for its copy");
    require(b.ready.at < b.step.begin, n, "its step does not wait for its cast");
    require(b.step.end < b.left.begin, n, "it leaves before its step");
    require(touches(record_, b.cast, b.device_slot), n, "its cast reads another slot");
    const bool waits = std::ranges::any_of(b.step.entries, [&](std::size_t at) {
      return record_[at].kind == Kind::wait && event_of(record_[at]) == b.ready.event;
    });
    require(waits, n, "its step does not wait for its cast on the device");
    if (n == 0) continue;
    const Batch& last = batches_[n - 1];
    require(last.copy.end < b.copy.begin && last.step.end < b.step.begin, n, "it overtakes");
  }
  return lines;
}

}  // namespace millrace::test
