// The recording device: what it keeps in order, what it finds wrong, and how it fails when told to.

#include <chrono>
#include <future>
#include <utility>

#include "gpu/recording_bench.h"

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;

namespace {

using Copy = Device::Copy;
using Bench = RecordingBench;

}  // namespace

TEST_CASE("two streams that touch the same memory need an event between them") {
  Bench bench;
  bench.upload();
  SECTION("in order") {
    bench.pass(*bench.copying, *bench.computing);
    bench.use();
    CHECK(bench.device->violations().empty());
  }
  SECTION("out of order") {
    bench.use();
    CHECK(mentions(bench.device->violations(),
                   "no order between to_device (writes, stream copy) and on_device (reads, stream "
                   "compute): activations + 0"));
  }
  SECTION("an event that was recorded too early orders nothing") {
    bench.device->record(*bench.event, *bench.copying);
    bench.upload();
    bench.device->wait(*bench.computing, *bench.event);
    bench.use();
    CHECK(mentions(bench.device->violations(), "no order between to_device"));
  }
}

TEST_CASE("a slot is filled again only after the event that says that it was used") {
  Bench bench;
  bench.upload();
  bench.pass(*bench.copying, *bench.computing);
  bench.use();
  SECTION("with the event") {
    bench.pass(*bench.computing, *bench.copying);
    bench.upload();
    CHECK(bench.device->violations().empty());
  }
  SECTION("without") {
    bench.upload();
    CHECK(mentions(bench.device->violations(),
                   "no order between on_device (reads, stream compute) and to_device (writes, "
                   "stream copy): activations + 0"));
  }
}

TEST_CASE("order passes through a third stream") {
  Bench bench;
  const auto between = bench.device->make_stream("between");
  bench.upload();
  bench.pass(*bench.copying, *between);
  bench.pass(*between, *bench.computing);
  bench.use();
  CHECK(bench.device->violations().empty());
}

TEST_CASE("only bytes that overlap need an order") {
  Bench bench;
  bench.device->fill(*bench.copying, bench.memory.data(), 0, 512_B);
  bench.device->fill(*bench.computing, bench.memory.data() + 512, 0, 512_B);
  CHECK(bench.device->violations().empty());
  bench.device->fill(*bench.computing, bench.memory.data() + 511, 0, 1_B);
  CHECK(mentions(bench.device->violations(), "activations + 511"));
}

TEST_CASE("two streams may read the same memory") {
  Bench bench;
  const Buffer third = bench.device->allocate(kSize, "third");
  bench.upload();
  bench.pass(*bench.copying, *bench.computing);
  bench.use();
  bench.device->copy(*bench.copying, third.data(), bench.memory.data(), kSize, Copy::on_device);
  CHECK(bench.device->violations().empty());
}

TEST_CASE("waiting on the host orders what the same thread queues, and nothing of other threads") {
  Bench bench;
  bench.upload();
  SECTION("the same thread") {
    bench.finish(*bench.copying);
    bench.use();
    CHECK(bench.device->violations().empty());
  }
  SECTION("another thread waits") {
    std::async(std::launch::async, [&] { bench.finish(*bench.copying); }).get();
    bench.use();
    CHECK(mentions(bench.device->violations(), "no order between to_device"));
  }
}

TEST_CASE("pinned memory must stay as it is until the host knows that its copy has ended") {
  Bench bench;
  bench.upload();
  SECTION("changed before") {
    bench.host.data()[3] = std::byte{1};
    bench.finish(*bench.copying);
    CHECK(mentions(bench.device->violations(), "host memory changed while a copy read it"));
  }
  SECTION("changed before, and only the memory's end tells") {
    bench.host.data()[1023] = std::byte{1};
    bench.host = Buffer();
    CHECK(mentions(bench.device->violations(), "host memory changed while a copy read it"));
  }
  SECTION("changed after") {
    bench.finish(*bench.copying);
    bench.host.data()[3] = std::byte{1};
    bench.upload();
    bench.finish(*bench.copying);
    CHECK(bench.device->violations().empty());
  }
}

TEST_CASE("what is copied to the host arrives when the host learns of it") {
  Bench bench;
  bench.device->fill(*bench.computing, bench.memory.data(), 5, kSize);
  bench.device->copy(*bench.computing, bench.host.data(), bench.memory.data(), kSize,
                     Copy::to_host);
  CHECK(bench.host.data()[0] == std::byte{0xFF});
  bench.finish(*bench.computing);
  CHECK(bench.host.data()[0] == std::byte{5});
}

TEST_CASE("work on memory that was freed, or was never there, is found and not done") {
  Bench bench;
  std::byte* const gone = bench.memory.data();
  SECTION("freed") {
    bench.memory = Buffer();
    bench.device->fill(*bench.computing, gone, 0, kSize);
    CHECK(mentions(bench.device->violations(), "fill: 1024 bytes at "));
  }
  SECTION("too long") {
    bench.device->fill(*bench.computing, gone + 1, 0, kSize);
    CHECK(mentions(bench.device->violations(),
                   "fill: 1024 bytes at activations + 1 are not all allocated"));
  }
  SECTION("freed before a graph that was captured with it") {
    bench.device->begin_capture(*bench.computing);
    bench.device->fill(*bench.computing, gone, 0, kSize);
    const auto graph = bench.device->end_capture(*bench.computing);
    bench.memory = Buffer();
    bench.device->launch(*bench.computing, *graph);
    CHECK(mentions(bench.device->violations(), "fill: 1024 bytes at "));
  }
}

TEST_CASE("memory of a former owner is no concern of the next one") {
  Bench bench;
  bench.upload();
  bench.memory = Buffer();
  bench.memory = bench.device->allocate(kSize, "again");  // most likely at the same place
  bench.device->fill(*bench.computing, bench.memory.data(), 0, kSize);
  CHECK(bench.device->violations().empty());
}

TEST_CASE("reads of device memory that nothing wrote are found") {
  Bench bench;
  bench.use();
  CHECK(mentions(bench.device->violations(),
                 "on_device reads 1024 bytes that nothing wrote: activations + 0"));
}
