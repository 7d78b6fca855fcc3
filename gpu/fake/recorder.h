#pragma once
// The class of the recording device. recorder.cpp has memory, order, the record and its replay,
// recorded_work.cpp queued and captured work.

#include <millrace/core/error.h>
#include <millrace/gpu/fake/allocations.h>
#include <millrace/gpu/fake/order_check.h>
#include <millrace/gpu/fake/recording_device.h>
#include <millrace/gpu/plans.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace millrace::gpu::recording {

/// Copies between host and device whose end the host does not know yet. A device could still be
/// busy with them, although this one is done: what they read must not change, which a hash checks,
/// and what they write must not be read, so it is garbage until then. Thread safety:
/// none.
class PendingCopies {
 public:
  /// A piece of work: its stream and its number there.
  struct Place {
    int stream = 0;
    std::uint64_t number = 0;
  };

  /// A copy to the device has read this memory.
  void reads(Place place, const void* from, std::size_t bytes);
  /// A copy to the host: `to` is filled with 0xFF until it settles.
  void writes(Place place, void* to, const void* from, std::size_t bytes);
  /// Ends the copies of which `has_ended` says so, in their order: results arrive, and `changed` is
  /// called for memory that has changed since it was read.
  void settle(const std::function<bool(Place)>& has_ended,
              const std::function<void(const void* from)>& changed);
  /// Lets results arrive in memory that the device itself is about to read.
  void deliver(const void* begin, std::size_t bytes);

 private:
  struct Source {
    Place place;
    const void* from;
    std::size_t bytes;
    std::uint64_t hash;
  };
  struct Result {
    Place place;
    void* to;
    std::vector<std::byte> bytes;
  };
  std::vector<Source> sources_;
  std::vector<Result> results_;
};

using Kind = Recorded::Kind;
using Place = PendingCopies::Place;
using Clock = std::chrono::steady_clock;

/// Work as it was asked for, to be done now or by a graph.
struct Work {
  Recorded what;
  std::function<void(Place)> run;
};

struct HostStream final : Stream {
  HostStream(int n, std::string stream_name) : number(n), name(std::move(stream_name)) {}
  void refuse_in_capture(const char* call) const {
    if (!is_capturing) return;
    throw Error(concat("cuda: ", call, " failed: stream ", name, " is being captured"));
  }
  int number;
  std::string name;
  bool is_lost = false;  // after an event that never ends
  bool is_capturing = false;
  std::uint64_t capturing_thread = 0;
  std::vector<Work> captured;
};

struct HostEvent final : Event {
  HostEvent(int n, bool t) : number(n), timed(t) {}
  int number;
  bool timed;
  int generation = 0;
  bool is_lost = false;
  Clock::time_point time{};
};

struct HostGraph final : StepGraph {
  std::vector<Work> work;
  std::vector<Access> accesses;  // of all work
};

/// "launch", "copy", ...
[[nodiscard]] const char* to_string(Recorded::Kind kind) noexcept;
/// Of the calling thread. Numbers, unlike thread ids, are never given twice.
[[nodiscard]] std::uint64_t this_thread() noexcept;

class HostDevice final : public RecordingDevice, public std::enable_shared_from_this<HostDevice> {
 public:
  explicit HostDevice(Faults faults) : faults_(std::move(faults)) {
    facts_ = {"recording device", 90, 1, faults_.memory, "none", "none", "none", "none"};
  }

  [[nodiscard]] const DeviceFacts& facts() const override { return facts_; }
  [[nodiscard]] nn::DeviceMemory memory() const override {
    const std::lock_guard lock(mutex_);
    return {faults_.memory - allocations_.device_bytes(), faults_.memory};
  }
  [[nodiscard]] Buffer allocate(Bytes size, const char* what) override {
    return allocate(size, what, false);
  }
  [[nodiscard]] Buffer allocate_pinned(Bytes size) override {
    return allocate(size, "pinned memory", true);
  }

  [[nodiscard]] std::unique_ptr<Stream> make_stream(const char* name) override {
    const std::lock_guard lock(mutex_);
    stream_names_.emplace_back(name);
    return std::make_unique<HostStream>(static_cast<int>(stream_names_.size()) - 1, name);
  }
  [[nodiscard]] std::unique_ptr<Event> make_event(bool timed) override {
    const std::lock_guard lock(mutex_);
    return std::make_unique<HostEvent>(events_++, timed);
  }
  void record(Event& event, Stream& stream) override;
  void wait(Stream& stream, const Event& event) override;
  void synchronize(const Event& event) override;
  [[nodiscard]] double seconds_between(const Event& begin, const Event& end) override;

  void abandon() noexcept override {
    const std::lock_guard lock(mutex_);
    is_abandoned_ = true;
  }

  void copy(Stream& stream, void* to, const void* from, Bytes size, Copy kind) override;
  void fill(Stream& stream, void* memory, int byte, Bytes size) override;
  void launch(Stream& stream, const Launch& launch) override;
  [[nodiscard]] std::unique_ptr<ConvolutionPlan> plan(const Convolution& convolution,
                                                      Bytes workspace) override;
  void run(Stream& stream, const ConvolutionPlan& plan, const ConvolutionMemory& memory) override;
  [[nodiscard]] std::unique_ptr<MatmulPlan> plan(const Matmul& matmul, Bytes workspace) override;
  void run(Stream& stream, const MatmulPlan& plan, const MatmulMemory& memory) override;

  void begin_capture(Stream& stream) override;
  [[nodiscard]] std::unique_ptr<StepGraph> end_capture(Stream& stream) override;
  void launch(Stream& stream, StepGraph& graph) override;

  void clear() override {
    const std::lock_guard lock(mutex_);
    record_.clear();
    violations_.clear();
    order_.forget_all();
  }
  [[nodiscard]] std::vector<Recorded> record() const override {
    const std::lock_guard lock(mutex_);
    return record_;
  }
  [[nodiscard]] std::vector<std::string> violations() const override {
    const std::lock_guard lock(mutex_);
    return violations_;
  }
  void note_host(std::string name, std::vector<Access> accesses) override {
    const std::lock_guard lock(mutex_);
    note({.kind = Kind::host, .name = std::move(name), .accesses = std::move(accesses)});
  }
  void forbid_host_stops(bool forbidden) override {
    const std::lock_guard lock(mutex_);
    stops_are_forbidden_ = forbidden;
    queuing_threads_.clear();
    waiting_threads_.clear();
  }
  void give_up() override {
    const std::lock_guard lock(mutex_);
    has_given_up_ = true;
    given_up_.notify_all();
  }
  [[nodiscard]] Bytes pinned_memory() const override {
    const std::lock_guard lock(mutex_);
    return allocations_.pinned_bytes();
  }
  [[nodiscard]] double replay(
      const std::function<double(const Recorded&)>& duration) const override;

 private:
  // All of these are called with the lock held.
  [[nodiscard]] Buffer allocate(Bytes size, const char* what, bool pinned);
  void release(std::byte* memory);
  std::uint64_t thread_number() {
    return threads_.try_emplace(this_thread(), threads_.size()).first->second;
  }
  Recorded& note(Recorded what);
  void violate(std::string line);
  void stop_of_host(const Recorded& what);
  void forbid_in_capture(const Recorded& what);
  /// What plan() of either kind begins with.
  template <class Operation>
  void note_plan(const Operation& operation);
  /// Takes the lock itself.
  template <class Operation, class Memory>
  void run_product(Stream& stream, Kind kind, const OperationPlan<Operation>& plan,
                   const Memory& memory, std::initializer_list<const void*> tensors);
  void queue(HostStream& stream, Work work);
  void do_now(const Work& work, Place place);
  [[nodiscard]] bool is_sound(const Recorded& what);
  void settle(std::uint64_t thread);
  [[nodiscard]] bool is_pinned(const void* memory, std::size_t bytes) {
    const Allocation* const allocation = allocations_.find(memory, bytes);
    return allocation != nullptr && allocation->pinned;
  }

  const Faults faults_;
  DeviceFacts facts_;
  mutable std::mutex mutex_;
  std::condition_variable given_up_;
  bool has_given_up_ = false;
  bool has_lost_ = false;  // an event
  bool is_abandoned_ = false;
  Allocations allocations_;
  OrderCheck order_;
  PendingCopies copies_;
  std::vector<Recorded> record_;
  std::vector<std::string> violations_;
  std::vector<std::string> stream_names_;
  int events_ = 0;
  std::unordered_map<std::uint64_t, std::uint64_t> threads_;
  std::vector<std::uint64_t> capturing_threads_;
  bool stops_are_forbidden_ = false;
  std::set<std::uint64_t> queuing_threads_, waiting_threads_;  // while stops are forbidden
};

}  // namespace millrace::gpu::recording
