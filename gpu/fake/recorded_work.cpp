// Work of the recording device: queued, checked, done at once or captured.

#include <millrace/gpu/fake/host_work.h>
#include <millrace/gpu/fake/recorder.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>

namespace millrace::gpu::recording {
namespace {

constexpr Bytes kWorkspace{64 << 10};      // what plans take, so that theirs is used and checked
constexpr std::uintptr_t kAlignment = 16;  // of tensors, for the libraries
constexpr const char* kHostLoops = "host loops";

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

}  // namespace

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

template <class Operation>
void HostDevice::note_plan(const Operation& operation) {
  const Recorded call{.kind = Kind::plan, .name = to_string(operation)};
  forbid_in_capture(call);
  stop_of_host(note(call));
  validate(operation);
}

std::unique_ptr<ConvolutionPlan> HostDevice::plan(const Convolution& convolution, Bytes workspace) {
  const std::lock_guard lock(mutex_);
  note_plan(convolution);
  const bool is_fused = convolution.bias || convolution.relu;
  if (is_fused && !faults_.has_fused_convolutions) return nullptr;
  // Tensor cores take 16-bit channels by eights.
  const bool fits_tensor_cores = convolution.channels % 8 == 0 && convolution.filters % 8 == 0;
  if (is_16_bit(convolution.precision) && !fits_tensor_cores) return nullptr;
  return std::make_unique<PlainPlan<Convolution>>(convolution, std::min(workspace, kWorkspace),
                                                  kHostLoops);
}

std::unique_ptr<MatmulPlan> HostDevice::plan(const Matmul& matmul, Bytes workspace) {
  const std::lock_guard lock(mutex_);
  note_plan(matmul);
  if (matmul.epilogue != Epilogue::none && !faults_.has_fused_epilogues) return nullptr;
  return std::make_unique<PlainPlan<Matmul>>(matmul, std::min(workspace, kWorkspace), kHostLoops);
}

template <class Operation, class Memory>
void HostDevice::run_product(Stream& stream, Kind kind, const OperationPlan<Operation>& plan,
                             const Memory& memory, std::initializer_list<const void*> tensors) {
  const std::lock_guard lock(mutex_);
  const Operation asked = plan.operation();
  const Bytes workspace = plan.workspace();
  Work work{{.kind = kind, .name = to_string(asked), .accesses = accesses_of(asked, memory)}, {}};
  require_aligned(work.what.name, tensors);
  require_workspace(work.what.name, memory.workspace, workspace);
  work.what.accesses.push_back({memory.workspace, workspace.count, true});
  work.run = [asked, memory, workspace](Place) {
    spoil(memory.workspace, workspace);
    run_on_host(asked, memory);
  };
  queue(static_cast<HostStream&>(stream), std::move(work));
}

void HostDevice::run(Stream& stream, const ConvolutionPlan& plan, const ConvolutionMemory& memory) {
  run_product(stream, Kind::convolution, plan, memory, {memory.x, memory.w, memory.y});
}

void HostDevice::run(Stream& stream, const MatmulPlan& plan, const MatmulMemory& memory) {
  run_product(stream, Kind::matmul, plan, memory, {memory.a, memory.b, memory.d});
}

// ---- graphs -------------------------------------------------------------------------------------

void HostDevice::begin_capture(Stream& stream) {
  const std::lock_guard lock(mutex_);
  auto& in = static_cast<HostStream&>(stream);
  in.refuse_in_capture("begin_capture");
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
  in.refuse_in_capture("launch of a graph");
  auto& captured = static_cast<HostGraph&>(graph);
  Work work{{.kind = Kind::graph, .name = "graph", .accesses = captured.accesses}, {}};
  work.run = [this, &captured](Place place) {
    for (const Work& one : captured.work) do_now(one, place);
  };
  queue(in, std::move(work));
}

}  // namespace millrace::gpu::recording
