#include <millrace/gpu/recording_device.h>

#include <millrace/core/error.h>
#include <millrace/gpu/detail/allocations.h>
#include <millrace/gpu/detail/host_work.h>
#include <millrace/gpu/detail/order_check.h>
#include <millrace/gpu/detail/pending_copies.h>
#include <millrace/gpu/detail/replay.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

namespace millrace::gpu {
namespace recording {
namespace {

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
  int number;
  std::string name;
  bool is_lost = false;  // behind an event that never ends
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

struct HostConvolution final : ConvolutionPlan {
  HostConvolution(const Convolution& c, Bytes w) : asked(c), size(w) {}
  [[nodiscard]] const Convolution& convolution() const override { return asked; }
  [[nodiscard]] Bytes workspace() const override { return size; }
  [[nodiscard]] std::string implementation() const override { return "host loops"; }
  Convolution asked;
  Bytes size;
};
struct HostMatmul final : MatmulPlan {
  HostMatmul(const Matmul& m, Bytes w) : asked(m), size(w) {}
  [[nodiscard]] const Matmul& matmul() const override { return asked; }
  [[nodiscard]] Bytes workspace() const override { return size; }
  [[nodiscard]] std::string implementation() const override { return "host loops"; }
  Matmul asked;
  Bytes size;
};

constexpr Bytes kWorkspace{64 << 10};      // what plans take, so that theirs is used and checked
constexpr std::uintptr_t kAlignment = 16;  // of tensors, for the libraries
constexpr std::size_t kMostViolations = 200;

/// Numbers that, unlike thread ids, are never given twice.
std::uint64_t this_thread() {
  static std::atomic<std::uint64_t> next{0};
  thread_local const std::uint64_t number = next++;
  return number;
}

const char* name_of(Kind kind) {
  constexpr std::array names{"launch",  "convolution",   "matmul",      "copy",        "fill",
                             "graph",   "record",        "wait",        "synchronize", "allocate",
                             "release", "begin_capture", "end_capture", "plan"};
  return names.at(static_cast<std::size_t>(kind));
}

bool is_16_bit(nn::Precision precision) {
  return precision == nn::Precision::fp16 || precision == nn::Precision::bf16;
}

void require_aligned(const std::string& name, std::initializer_list<const void*> tensors) {
  for (const void* tensor : tensors) {
    if (reinterpret_cast<std::uintptr_t>(tensor) % kAlignment != 0) {
      throw Error(
          concat("cuda: ", name, " failed: a tensor is not aligned to ", kAlignment, " bytes"));
    }
  }
}

void require_workspace(const std::string& name, const void* workspace, Bytes size) {
  if (size.count > 0 && workspace == nullptr) {
    throw Error(concat("cuda: ", name, " failed: its workspace of ", size, " is missing"));
  }
}

/// A library leaves anything in its workspace.
void spoil(void* workspace, Bytes size) {
  if (size.count > 0) std::memset(workspace, 0xFF, size.count);
}

/// Every byte once, for reading and for writing.
std::vector<Access> joined(const std::vector<Work>& work) {
  std::vector<Access> all;
  for (const Work& one : work) {
    all.insert(all.end(), one.what.accesses.begin(), one.what.accesses.end());
  }
  const auto begin_of = [](const Access& a) { return reinterpret_cast<std::uintptr_t>(a.begin); };
  std::sort(all.begin(), all.end(), [&](const Access& a, const Access& b) {
    return std::pair(a.writes, begin_of(a)) < std::pair(b.writes, begin_of(b));
  });
  std::vector<Access> result;
  for (const Access& access : all) {
    if (!result.empty() && result.back().writes == access.writes &&
        begin_of(access) <= begin_of(result.back()) + result.back().bytes) {
      const std::size_t end = begin_of(access) + access.bytes - begin_of(result.back());
      result.back().bytes = std::max(result.back().bytes, end);
    } else {
      result.push_back(access);
    }
  }
  return result;
}

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
      const std::function<double(const Recorded&)>& duration) const override {
    return recording::replay(record(), duration);
  }

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

// ---- the record ---------------------------------------------------------------------------------

/// Adds to the record, unless the call is to fail.
Recorded& HostDevice::note(Recorded what) {
  what.thread = thread_number();
  if (what.kind != Kind::release && faults_.fails && faults_.fails(what)) {
    throw Error(concat("cuda: ", name_of(what.kind), what.name.empty() ? "" : " ", what.name,
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
  violate(concat(name_of(what.kind), what.name.empty() ? "" : " ", what.name,
                 ": within a step nothing may stop the host"));
}

/// What CUDA refuses to a thread that captures.
void HostDevice::forbid_in_capture(const Recorded& what) {
  const std::uint64_t thread = this_thread();
  if (std::find(capturing_threads_.begin(), capturing_threads_.end(), thread) !=
      capturing_threads_.end()) {
    throw Error(concat("cuda: ", name_of(what.kind), " ", what.name,
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

/// As in CUDA, all work that was queued has ended before memory is given back.
void HostDevice::release(std::byte* memory) {
  const std::lock_guard lock(mutex_);
  Allocation* const allocation = allocations_.find(memory, 0);
  const std::size_t bytes = allocation->bytes;
  stop_of_host(note({.kind = Kind::release, .name = allocation->what, .bytes = bytes}));
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
  if (in.is_capturing) {
    throw Error(concat("cuda: record failed: stream ", in.name, " is being captured"));
  }
  const Recorded& call = note({.kind = Kind::record,
                               .stream = in.number,
                               .event = to.number,
                               .generation = to.generation + 1});
  ++to.generation;
  to.time = Clock::now();
  in.is_lost = in.is_lost || (faults_.never_ends && faults_.never_ends(call));
  to.is_lost = in.is_lost;
  order_.record(call);
}

void HostDevice::wait(Stream& stream, const Event& event) {
  const std::lock_guard lock(mutex_);
  const auto& of = static_cast<const HostEvent&>(event);
  auto& in = static_cast<HostStream&>(stream);
  if (in.is_capturing) {
    throw Error(concat("cuda: wait failed: stream ", in.name, " is being captured"));
  }
  const Recorded& call = note(
      {.kind = Kind::wait, .stream = in.number, .event = of.number, .generation = of.generation});
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

// ---- work ---------------------------------------------------------------------------------------

void HostDevice::queue(HostStream& stream, Work work) {
  work.what.stream = stream.number;
  work.what.captured = stream.is_capturing;
  std::erase_if(work.what.accesses,
                [](const Access& access) { return access.begin == nullptr || access.bytes == 0; });
  const Recorded& call = note(work.what);
  if (stream.is_capturing) {
    stream.captured.push_back(std::move(work));
    return;
  }
  if (stops_are_forbidden_) {
    queuing_threads_.insert(call.thread);
    if (waiting_threads_.contains(call.thread)) {
      stop_of_host({.kind = Kind::synchronize});
    }
  }
  std::vector<Conflict> conflicts;
  const Place place{stream.number, order_.work(call, conflicts)};
  for (const Conflict& conflict : conflicts) {
    const auto side = [this](const Conflict::Side& s) {
      return concat(s.name, " (", s.writes ? "writes" : "reads", ", stream ",
                    stream_names_[static_cast<std::size_t>(s.stream)], ")");
    };
    violate(concat("no order between ", side(conflict.earlier), " and ", side(conflict.later), ": ",
                   allocations_.place(conflict.at)));
  }
  if (work.what.kind == Kind::graph) {
    work.run(place);
  } else {
    do_now(work, place);
  }
}

void HostDevice::do_now(const Work& work, Place place) {
  if (!is_sound(work.what)) return;
  work.run(place);
  for (const Access& access : work.what.accesses) {
    if (!access.writes) continue;
    const auto begin = reinterpret_cast<std::uintptr_t>(access.begin);
    allocations_.find(access.begin, access.bytes)->written.add(begin, begin + access.bytes);
  }
}

/// Whether all memory is there, so that the work can be done.
bool HostDevice::is_sound(const Recorded& what) {
  for (const Access& access : what.accesses) {
    const Allocation* const allocation = allocations_.find(access.begin, access.bytes);
    if (allocation == nullptr) {
      violate(concat(what.name, ": ", access.bytes, " bytes at ", allocations_.place(access.begin),
                     " are not all allocated"));
      return false;
    }
    const auto begin = reinterpret_cast<std::uintptr_t>(access.begin);
    if (!access.writes && !allocation->pinned &&
        !allocation->written.meets(begin, begin + access.bytes)) {
      violate(concat(what.name, " reads ", access.bytes,
                     " bytes that nothing wrote: ", allocations_.place(access.begin)));
    }
  }
  return true;
}

void HostDevice::copy(Stream& stream, void* to, const void* from, Bytes size, Copy kind) {
  constexpr std::array names{"to_device", "to_host", "on_device"};
  const std::lock_guard lock(mutex_);
  const auto bytes = static_cast<std::size_t>(size.count);
  Work work{
      {.kind = Kind::copy, .name = names.at(static_cast<std::size_t>(kind)), .bytes = size.count},
      {}};
  const void* const host = kind == Copy::to_device ? from : to;
  const bool pinned = kind == Copy::on_device || is_pinned(host, bytes);
  if (kind == Copy::to_host || !pinned) stop_of_host(work.what);
  if (kind != Copy::to_device || pinned) work.what.accesses.push_back({from, bytes, false});
  if (kind != Copy::to_host || pinned) work.what.accesses.push_back({to, bytes, true});
  work.run = [this, to, from, bytes, kind, pinned](Place place) {
    if (bytes == 0) return;
    if (kind == Copy::to_host && pinned) return copies_.writes(place, to, from, bytes);
    if (kind == Copy::to_device && pinned) {
      copies_.deliver(from, bytes);
      copies_.reads(place, from, bytes);
    }
    std::memmove(to, from, bytes);
  };
  queue(static_cast<HostStream&>(stream), std::move(work));
}

void HostDevice::fill(Stream& stream, void* memory, int byte, Bytes size) {
  const std::lock_guard lock(mutex_);
  const auto bytes = static_cast<std::size_t>(size.count);
  queue(static_cast<HostStream&>(stream),
        {{.kind = Kind::fill,
          .name = "fill",
          .bytes = size.count,
          .accesses = {{memory, bytes, true}}},
         [memory, byte, bytes](Place) { std::memset(memory, byte, bytes); }});
}

void HostDevice::launch(Stream& stream, const Launch& launch) {
  const std::lock_guard lock(mutex_);
  const auto touched = launch.touched();
  queue(static_cast<HostStream&>(stream),
        {{.kind = Kind::launch,
          .name = launch.kernel->name,
          .accesses = {touched.begin(), touched.end()}},
         [launch](Place) { launch.kernel->run_on_host(launch.arguments.data(), launch.count); }});
}

std::unique_ptr<ConvolutionPlan> HostDevice::plan(const Convolution& convolution, Bytes workspace) {
  const std::lock_guard lock(mutex_);
  const Recorded call{.kind = Kind::plan, .name = to_string(convolution)};
  forbid_in_capture(call);
  stop_of_host(note(call));
  validate(convolution);
  const bool is_fused = convolution.bias || convolution.relu;
  if (is_fused && !faults_.has_fused_convolutions) return nullptr;
  // Tensor cores take 16-bit channels by eights.
  const bool fits_tensor_cores = convolution.channels % 8 == 0 && convolution.filters % 8 == 0;
  if (is_16_bit(convolution.precision) && !fits_tensor_cores) return nullptr;
  return std::make_unique<HostConvolution>(convolution, std::min(workspace, kWorkspace));
}

void HostDevice::run(Stream& stream, const ConvolutionPlan& plan, const ConvolutionMemory& memory) {
  const std::lock_guard lock(mutex_);
  const Convolution asked = plan.convolution();
  const Bytes workspace = plan.workspace();
  Work work{
      {.kind = Kind::convolution, .name = to_string(asked), .accesses = accesses_of(asked, memory)},
      {}};
  require_aligned(work.what.name, {memory.x, memory.w, memory.y});
  require_workspace(work.what.name, memory.workspace, workspace);
  work.what.accesses.push_back({memory.workspace, workspace.count, true});
  work.run = [asked, memory, workspace](Place) {
    spoil(memory.workspace, workspace);
    run_on_host(asked, memory);
  };
  queue(static_cast<HostStream&>(stream), std::move(work));
}

std::unique_ptr<MatmulPlan> HostDevice::plan(const Matmul& matmul, Bytes workspace) {
  const std::lock_guard lock(mutex_);
  const Recorded call{.kind = Kind::plan, .name = to_string(matmul)};
  forbid_in_capture(call);
  stop_of_host(note(call));
  validate(matmul);
  if (matmul.epilogue != Epilogue::none && !faults_.has_fused_epilogues) return nullptr;
  return std::make_unique<HostMatmul>(matmul, std::min(workspace, kWorkspace));
}

void HostDevice::run(Stream& stream, const MatmulPlan& plan, const MatmulMemory& memory) {
  const std::lock_guard lock(mutex_);
  const Matmul asked = plan.matmul();
  const Bytes workspace = plan.workspace();
  Work work{
      {.kind = Kind::matmul, .name = to_string(asked), .accesses = accesses_of(asked, memory)}, {}};
  require_aligned(work.what.name, {memory.a, memory.b, memory.d});
  require_workspace(work.what.name, memory.workspace, workspace);
  work.what.accesses.push_back({memory.workspace, workspace.count, true});
  work.run = [asked, memory, workspace](Place) {
    spoil(memory.workspace, workspace);
    run_on_host(asked, memory);
  };
  queue(static_cast<HostStream&>(stream), std::move(work));
}

// ---- graphs -------------------------------------------------------------------------------------

void HostDevice::begin_capture(Stream& stream) {
  const std::lock_guard lock(mutex_);
  auto& in = static_cast<HostStream&>(stream);
  if (in.is_capturing) {
    throw Error(concat("cuda: begin_capture failed: stream ", in.name, " is being captured"));
  }
  stop_of_host(note({.kind = Kind::begin_capture, .stream = in.number}));
  in.is_capturing = true;
  in.capturing_thread = this_thread();
  capturing_threads_.push_back(in.capturing_thread);
}

std::unique_ptr<StepGraph> HostDevice::end_capture(Stream& stream) {
  const std::lock_guard lock(mutex_);
  auto& in = static_cast<HostStream&>(stream);
  if (!in.is_capturing) {
    throw Error(concat("cuda: end_capture failed: stream ", in.name, " is not being captured"));
  }
  in.is_capturing = false;
  capturing_threads_.erase(
      std::find(capturing_threads_.begin(), capturing_threads_.end(), in.capturing_thread));
  auto graph = std::make_unique<HostGraph>();
  graph->work = std::exchange(in.captured, {});
  graph->accesses = joined(graph->work);
  stop_of_host(note({.kind = Kind::end_capture, .stream = in.number}));
  return graph;
}

void HostDevice::launch(Stream& stream, StepGraph& graph) {
  const std::lock_guard lock(mutex_);
  auto& in = static_cast<HostStream&>(stream);
  if (in.is_capturing) {
    throw Error(concat("cuda: launch of a graph failed: stream ", in.name, " is being captured"));
  }
  auto& captured = static_cast<HostGraph&>(graph);
  Work work{{.kind = Kind::graph, .name = "graph", .accesses = captured.accesses}, {}};
  work.run = [this, &captured](Place place) {
    for (const Work& one : captured.work) do_now(one, place);
  };
  queue(in, std::move(work));
}

}  // namespace
}  // namespace recording

std::shared_ptr<RecordingDevice> RecordingDevice::make(Faults faults) {
  return std::make_shared<recording::HostDevice>(std::move(faults));
}

}  // namespace millrace::gpu
