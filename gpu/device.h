#pragma once
// The interface between the engine and a GPU: CudaDevice (cuda_device.h)
// implements it with CUDA, cuDNN and cuBLASLt, RecordingDevice (recording_device.h) with plain
// loops on the host and a record for tests. Everything above this interface is the same code for
// both.

#include <millrace/core/buffer.h>
#include <millrace/core/bytes.h>
#include <millrace/core/error.h>
#include <millrace/gpu/launch.h>
#include <millrace/gpu/operations.h>
#include <millrace/nn/engine.h>

#include <cstdint>
#include <memory>
#include <string>

namespace millrace::gpu {

/// The device refused memory. what() says how much was asked for, what for, and what is free.
class OutOfDeviceMemory : public Error {
 public:
  using Error::Error;
};

struct DeviceFacts {
  std::string name;    ///< "NVIDIA H200"
  int capability = 0;  ///< 90
  int multiprocessors = 0;
  Bytes memory;
  std::string driver, cuda, cudnn, cublas;  ///< versions, "13.0"
};

/// A queue of device work: in order within, at the same time as other streams.
class Stream {
 public:
  virtual ~Stream() = default;
};
/// A mark in a stream. Recorded again, it marks the new place.
class Event {
 public:
  virtual ~Event() = default;
};
/// Captured work of one stream, launched as one.
class StepGraph {
 public:
  virtual ~StepGraph() = default;
};

/// Pointers to device memory are never followed by the host. Functions that take a stream only
/// queue the work. All throw Error with the library's own words and the name of what was asked for.
/// Thread-safe; a stream is used by one thread at a time.
class Device {
 public:
  virtual ~Device() = default;
  [[nodiscard]] virtual const DeviceFacts& facts() const = 0;
  [[nodiscard]] virtual nn::DeviceMemory memory() const = 0;

  // Memory. May wait for the device; never called while a step is under way or captured.
  /// Not zeroed. Throws OutOfDeviceMemory. `what` is for messages: "activations".
  [[nodiscard]] virtual Buffer allocate(Bytes size, const char* what) = 0;
  /// Host memory that copies read and write without a detour, zeroed.
  [[nodiscard]] virtual Buffer allocate_pinned(Bytes size) = 0;

  // Order.
  [[nodiscard]] virtual std::unique_ptr<Stream> make_stream(const char* name) = 0;
  /// `timed` events can be asked for the time between two of them.
  [[nodiscard]] virtual std::unique_ptr<Event> make_event(bool timed) = 0;
  virtual void record(Event& event, Stream& stream) = 0;
  /// Work queued in `stream` from now on waits for the event as it is recorded now; for nothing if
  /// it never was.
  virtual void wait(Stream& stream, const Event& event) = 0;
  /// Blocks the host, without spinning, until the event as last recorded has passed. Throws what
  /// went wrong on the device before it.
  virtual void synchronize(const Event& event) = 0;
  /// Requires: both timed and passed.
  [[nodiscard]] virtual double seconds_between(const Event& begin, const Event& end) = 0;
  /// The device does not answer. From now on memory is not given back to it: that would wait for
  /// what never ends. Any thread.
  virtual void abandon() noexcept = 0;

  // Work.
  enum class Copy { to_device, to_host, on_device };
  virtual void copy(Stream& stream, void* to, const void* from, Bytes size, Copy kind) = 0;
  virtual void fill(Stream& stream, void* memory, int byte, Bytes size) = 0;
  virtual void launch(Stream& stream, const Launch& launch) = 0;

  /// The fastest way that is deterministic, fits into `workspace` and, for 16-bit precisions, uses
  /// tensor cores. Null if the library has none. Not while a step is under way or captured.
  [[nodiscard]] virtual std::unique_ptr<ConvolutionPlan> plan(const Convolution& convolution,
                                                              Bytes workspace) = 0;
  virtual void run(Stream& stream, const ConvolutionPlan& plan,
                   const ConvolutionMemory& memory) = 0;
  [[nodiscard]] virtual std::unique_ptr<MatmulPlan> plan(const Matmul& matmul, Bytes workspace) = 0;
  virtual void run(Stream& stream, const MatmulPlan& plan, const MatmulMemory& memory) = 0;

  // Graphs. Between begin and end, work queued in the stream is captured instead of done.
  virtual void begin_capture(Stream& stream) = 0;
  [[nodiscard]] virtual std::unique_ptr<StepGraph> end_capture(Stream& stream) = 0;
  virtual void launch(Stream& stream, StepGraph& graph) = 0;
};

}  // namespace millrace::gpu
