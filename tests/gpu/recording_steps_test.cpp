// Steps, captured work and failures on the recording device.

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

TEST_CASE("within a step nothing may stop the host") {
  Bench bench;
  bench.device->fill(*bench.computing, bench.memory.data(), 0, kSize);
  bench.device->forbid_host_stops(true);
  std::string wanted;
  SECTION("allocating") {
    CHECK(bench.device->allocate(kSize, "scratch").size() == kSize.count);
    wanted = "allocate scratch: within a step nothing may stop the host";
  }
  SECTION("releasing") {
    bench.other = Buffer();
    wanted = "release gradients";
  }
  SECTION("planning") {
    const Matmul matmul{.m = 8, .n = 8, .k = 8, .lda = 8, .ldb = 8, .ldd = 8};
    CHECK(bench.device->plan(matmul, kSize) != nullptr);
    wanted = "plan matmul";
  }
  SECTION("capturing") {
    bench.device->begin_capture(*bench.computing);
    CHECK(bench.device->end_capture(*bench.computing) != nullptr);
    wanted = "begin_capture";
  }
  SECTION("copying to the host") {
    bench.device->copy(*bench.computing, bench.host.data(), bench.memory.data(), kSize,
                       Copy::to_host);
    wanted = "copy to_host";
  }
  SECTION("copying memory that is not pinned") {
    const std::vector<float> values(4);
    bench.device->copy(*bench.copying, bench.other.data(), values.data(), 16_B, Copy::to_device);
    wanted = "copy to_device";
  }
  SECTION("waiting, by a thread that queues work") {
    bench.upload();
    bench.finish(*bench.copying);
    wanted = "synchronize";
  }
  CHECK(mentions(bench.device->violations(), wanted));
}

TEST_CASE("within a step another thread may wait, and the host may queue") {
  Bench bench;
  bench.device->forbid_host_stops(true);
  bench.upload();
  bench.pass(*bench.copying, *bench.computing);
  bench.use();
  std::async(std::launch::async, [&] { bench.device->synchronize(*bench.event); }).get();
  bench.device->forbid_host_stops(false);
  bench.finish(*bench.computing);
  CHECK(bench.device->violations().empty());
}

TEST_CASE("captured work is done by its graph, as often as it is launched") {
  Bench bench;
  bench.upload();
  bench.pass(*bench.copying, *bench.computing);
  bench.device->begin_capture(*bench.computing);
  bench.use();
  CHECK(bench.other.data()[0] == std::byte{0xFF});
  const auto graph = bench.device->end_capture(*bench.computing);
  CHECK(bench.other.data()[0] == std::byte{0xFF});
  bench.device->launch(*bench.computing, *graph);
  CHECK(bench.other.data()[0] == std::byte{0});
  bench.device->fill(*bench.computing, bench.memory.data(), 9, kSize);
  bench.device->launch(*bench.computing, *graph);
  CHECK(bench.other.data()[0] == std::byte{9});
  CHECK(bench.device->violations().empty());

  const auto last = bench.device->record().back();
  CHECK(last.kind == Recorded::Kind::graph);
  CHECK(last.accesses.size() == 2);
  SECTION("what it touches needs an order like other work") {
    bench.upload();
    CHECK(mentions(bench.device->violations(), "no order between fill (writes, stream compute)"));
    CHECK(mentions(bench.device->violations(), "no order between graph (reads, stream compute)"));
  }
}

TEST_CASE("a thread that captures may neither wait nor allocate, and other streams keep out") {
  Bench bench;
  bench.device->begin_capture(*bench.computing);
  CHECK_THROWS_WITH(bench.device->allocate(kSize, "scratch"),
                    Catch::Contains("not permitted while this thread captures"));
  CHECK_THROWS_WITH(bench.device->synchronize(*bench.event), Catch::Contains("not permitted"));
  CHECK_THROWS_WITH(bench.device->wait(*bench.computing, *bench.event),
                    Catch::Contains("stream compute is being captured"));
  CHECK_NOTHROW(
      std::async(std::launch::async, [&] { bench.device->synchronize(*bench.event); }).get());
}

TEST_CASE("device memory is counted to the byte, and refused with what is free") {
  Bench bench({.memory = 4_KiB});
  CHECK(bench.device->memory().free == 2_KiB);
  CHECK(bench.device->pinned_memory() == 1_KiB);
  CHECK_THROWS_AS(bench.device->allocate(Bytes{2049}, "scratch"), OutOfDeviceMemory);
  CHECK_THROWS_WITH(bench.device->allocate(3_KiB, "scratch"),
                    "gpu: no memory for scratch: 3 KiB asked for, 2 KiB of 4 KiB free; choose a "
                    "smaller batch");
  const Buffer all = bench.device->allocate(2_KiB, "scratch");
  CHECK(bench.device->memory().free == 0_B);
  bench.other = Buffer();
  CHECK(bench.device->memory().free == 1_KiB);
}

TEST_CASE("a call fails when it is told to, and is not done") {
  int copies = 0;
  Bench bench({.fails = [&](const Recorded& call) {
    return call.kind == Recorded::Kind::copy && ++copies == 2;
  }});
  bench.upload();
  bench.host.data()[0] = std::byte{1};
  CHECK_THROWS_WITH(bench.upload(), Catch::Contains("cuda: copy to_device failed"));
  CHECK(bench.memory.data()[0] == std::byte{0});
}

TEST_CASE("a lost event blocks who waits for it until the device is given up") {
  Bench bench({.never_ends = [](const Recorded& call) { return call.stream == 0; }});
  const auto behind = bench.device->make_event(false);
  bench.finish(*bench.computing);
  bench.pass(*bench.copying, *bench.computing);
  bench.device->record(*behind, *bench.computing);
  auto waiting = std::async(std::launch::async, [&] { bench.device->synchronize(*behind); });
  CHECK(waiting.wait_for(std::chrono::milliseconds(20)) == std::future_status::timeout);
  bench.device->give_up();
  CHECK_THROWS_WITH(waiting.get(), Catch::Contains("the event was lost"));
}

TEST_CASE("plans that the device is said to lack are refused") {
  const Matmul matmul{
      .m = 8, .n = 8, .k = 8, .lda = 8, .ldb = 8, .ldd = 8, .epilogue = Epilogue::bias};
  Convolution convolution{.batch = 1,
                          .height = 4,
                          .width = 4,
                          .channels = 8,
                          .out_height = 2,
                          .out_width = 2,
                          .filters = 8,
                          .rows = 3,
                          .columns = 3,
                          .bias = true};
  Bench able;
  CHECK(able.device->plan(matmul, kSize) != nullptr);
  CHECK(able.device->plan(convolution, kSize) != nullptr);
  CHECK(able.device->plan(convolution, 100_B)->workspace() <= 100_B);
  Bench plain({.has_fused_epilogues = false, .has_fused_convolutions = false});
  CHECK(plain.device->plan(matmul, kSize) == nullptr);
  CHECK(plain.device->plan(convolution, kSize) == nullptr);
  convolution.bias = false;
  CHECK(plain.device->plan(convolution, kSize) != nullptr);
  convolution.channels = 3;  // no tensor cores for this
  CHECK(plain.device->plan(convolution, kSize) == nullptr);
  convolution.out_width = 3;
  CHECK_THROWS_WITH(plain.device->plan(convolution, kSize),
                    Catch::Contains("the sizes do not fit together"));
}

TEST_CASE("replay: work in two streams overlaps, and waits where it is told to") {
  Bench bench;
  const auto duration = [](const Recorded& work) { return work.name == "fill" ? 3.0 : 2.0; };
  bench.upload();
  bench.device->fill(*bench.computing, bench.other.data(), 0, kSize);
  SECTION("apart") {
    CHECK(bench.device->replay(duration) == Approx(3));
  }
  SECTION("one stream in order") {
    bench.upload();
    CHECK(bench.device->replay(duration) == Approx(4));
  }
  SECTION("an event between them") {
    bench.pass(*bench.computing, *bench.copying);
    bench.upload();
    CHECK(bench.device->replay(duration) == Approx(5));
  }
  SECTION("the host between them") {
    bench.finish(*bench.computing);
    bench.upload();
    CHECK(bench.device->replay(duration) == Approx(5));
  }
  SECTION("another thread's waiting is not ours") {
    std::async(std::launch::async, [&] { bench.finish(*bench.computing); }).get();
    bench.upload();
    CHECK(bench.device->replay(duration) == Approx(4));
  }
}
