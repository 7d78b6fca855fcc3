#pragma once
// What an engine, its executors and its input slots share.

#include <millrace/gpu/device.h>
#include <millrace/gpu/engine.h>
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
        plans(*device, options.workspace),
        waiter(device) {}

  std::shared_ptr<Device> device;
  EngineOptions options;
  std::mutex copies_mutex;  // stages that copy and cast queue from threads of their own
  std::unique_ptr<Stream> copies;
  DevicePlans plans;
  Waiter waiter;  // last: it ends before what it waits for
};

}  // namespace millrace::gpu
