#pragma once
// What an engine, its executors and its input slots share.

#include <millrace/gpu/device.h>
#include <millrace/gpu/engine_options.h>
#include <millrace/gpu/plans.h>
#include <millrace/gpu/waiter.h>

#include <memory>
#include <mutex>
#include <utility>

namespace millrace::gpu {

struct Context {
  Context(std::shared_ptr<Device> the_device, const EngineOptions& the_options)
      : device(std::move(the_device)),
        options(the_options),
        copies(device->make_stream("copy")),
        casts(device->make_stream("cast")),
        plans(*device, options.workspace),
        waiter(device, Waiter::Seconds(options.patience)) {}

  std::shared_ptr<Device> device;
  EngineOptions options;
  // Stages that copy and cast queue from their own threads. Casts have their own stream: in that of
  // copies they would queue after the next copy, which may wait for a step.
  std::mutex copies_mutex, casts_mutex;
  std::unique_ptr<Stream> copies, casts;
  DevicePlans plans;
  Waiter waiter;  // last: it ends before what it waits for
};

}  // namespace millrace::gpu
