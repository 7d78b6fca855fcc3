// Memory, order and graphs of a device.

#include "catch.h"

#include "gpu/device_bench.h"

#include <millrace/core/error.h>

#include <algorithm>
#include <thread>

using namespace millrace;
using namespace millrace::gpu;
using namespace millrace::gpu::test;
using Catch::Contains;
using Copy = Device::Copy;

TEST_CASE("A device says what it is") {
  const auto device = device_under_test();
  if (!device) return;
  CHECK_FALSE(device->facts().name.empty());
  CHECK(device->memory().free <= device->memory().total);
  CHECK(device->memory().total > Bytes{0});
}

TEST_CASE("What is copied to a device, on it and back is the same") {
  const auto device = device_under_test();
  if (!device) return;
  const std::uint64_t before = launches();
  Bench bench{device};
  Raw raw(1 << 20);
  for (std::size_t i = 0; i < raw.size(); ++i) raw[i] = static_cast<std::byte>(i * 7 + i / 251);
  const Buffer there = bench.upload(raw);
  const Buffer also = bench.poisoned(raw.size());
  device->copy(*bench.stream, also.data(), there.data(), {raw.size()}, Copy::on_device);
  CHECK(bench.download(also) == raw);

  device->fill(*bench.stream, also.data() + 16, 0x5A, {1000});
  Raw filled = raw;
  std::fill_n(filled.begin() + 16, 1000, std::byte{0x5A});
  CHECK(bench.download(also) == filled);
  CHECK(launches() > before);
}

TEST_CASE("Pinned memory begins as zeros, and no memory is none") {
  const auto device = device_under_test();
  if (!device) return;
  const Buffer pinned = device->allocate_pinned({4096});
  CHECK(std::ranges::all_of(pinned.as<std::byte>(), [](std::byte b) { return b == std::byte{0}; }));
  CHECK(device->allocate({0}, "nothing").size() == 0);
  CHECK(device->allocate_pinned({0}).size() == 0);
}

TEST_CASE("Memory that a device has not got is refused by name, and the device goes on") {
  const auto device = device_under_test();
  if (!device) return;
  const Bytes too_much = 2 * device->memory().total;
  CHECK_THROWS_AS(device->allocate(too_much, "activations"), OutOfDeviceMemory);
  CHECK_THROWS_WITH(device->allocate(too_much, "activations"),
                    Contains("activations") && Contains(to_string(too_much)) && Contains("free"));
  Bench bench{device};
  const Raw raw(64, std::byte{3});
  CHECK(bench.download(bench.upload(raw)) == raw);
}

TEST_CASE("Memory comes back to a device") {
  const auto device = device_under_test();
  if (!device) return;
  const Bytes size = device->memory().free;
  const Bytes half{size.count / 2 + (std::uint64_t{1} << 20)};
  for (int i = 0; i < 3; ++i) CHECK_NOTHROW(device->allocate(half, "more than half"));
}

TEST_CASE("An event holds a stream back until another has done its work") {
  const auto device = device_under_test();
  if (!device) return;
  constexpr std::size_t kBytes = std::size_t{8} << 20;
  Bench bench{device};
  const auto second = device->make_stream("second");
  const auto done = device->make_event(false);
  const Buffer source = device->allocate_pinned({kBytes});
  const Buffer target = device->allocate_pinned({kBytes});
  const Buffer a = bench.poisoned(kBytes);
  for (int round = 1; round <= 10; ++round) {
    std::memset(source.data(), round, kBytes);
    device->copy(*bench.stream, a.data(), source.data(), {kBytes}, Copy::to_device);
    device->record(*done, *bench.stream);
    device->wait(*second, *done);
    device->copy(*second, target.data(), a.data(), {kBytes}, Copy::to_host);
    device->record(*done, *second);
    device->synchronize(*done);
    REQUIRE(std::memcmp(target.data(), source.data(), kBytes) == 0);
  }
}

TEST_CASE("Events that were never recorded hold nothing back") {
  const auto device = device_under_test();
  if (!device) return;
  Bench bench{device};
  const auto never = device->make_event(false);
  device->wait(*bench.stream, *never);
  CHECK_NOTHROW(device->synchronize(*never));
  bench.finish();
}

TEST_CASE("Timed events measure the work between them") {
  const auto device = device_under_test();
  if (!device) return;
  Bench bench{device};
  const auto begin = device->make_event(true);
  const auto end = device->make_event(true);
  const Buffer memory = device->allocate({1 << 20}, "test data");
  device->record(*begin, *bench.stream);
  for (int i = 0; i < 10; ++i) device->fill(*bench.stream, memory.data(), i, {1 << 20});
  device->record(*end, *bench.stream);
  device->synchronize(*end);
  const double seconds = device->seconds_between(*begin, *end);
  CHECK(seconds >= 0);
  CHECK(seconds < 1);
}

TEST_CASE("A captured graph does its work when it is launched, as often as it is") {
  const auto device = device_under_test();
  if (!device) return;
  Bench bench{device};
  const auto m = Matmul{
      .precision = nn::Precision::fp32, .m = 8, .n = 8, .k = 8, .lda = 8, .ldb = 8, .ldd = 8};
  const auto plan = device->plan(m, Bytes{1 << 20});
  REQUIRE(plan);
  const Buffer workspace = device->allocate(plan->workspace(), "workspace");
  const Buffer a = bench.upload(DType::f32, random_numbers(DType::f32, 64, 1));
  const Buffer b = bench.upload(DType::f32, random_numbers(DType::f32, 64, 2));
  const Buffer d = bench.poisoned(64 * 4);
  // a <- a b: every run sees what the one before left.
  const auto queue = [&] {
    device->run(*bench.stream, *plan,
                {.a = a.data(), .b = b.data(), .d = d.data(), .workspace = workspace.data()});
    device->copy(*bench.stream, a.data(), d.data(), {64 * 4}, Copy::on_device);
    device->fill(*bench.stream, d.data(), 0xFF, {64 * 4});
  };
  const Raw start = bench.download(a);
  for (int i = 0; i < 3; ++i) queue();
  const Raw eager = bench.download(a);

  const Buffer again = bench.upload(start);
  device->copy(*bench.stream, a.data(), again.data(), {64 * 4}, Copy::on_device);
  bench.finish();
  device->begin_capture(*bench.stream);
  queue();
  const auto graph = device->end_capture(*bench.stream);
  CHECK(bench.download(a) == start);  // captured, not done
  for (int i = 0; i < 3; ++i) device->launch(*bench.stream, *graph);
  CHECK(bench.download(a) == eager);  // to the bit
  CHECK(eager != start);
}

TEST_CASE("A device's calls may come from any thread") {
  const auto device = device_under_test();
  if (!device) return;
  std::string failure;
  std::thread([&] {
    try {
      Bench bench{device};
      const Raw raw(4096, std::byte{9});
      if (bench.download(bench.upload(raw)) != raw) failure = "other bytes came back";
    } catch (const Error& error) {
      failure = error.what();
    }
  }).join();
  CHECK(failure.empty());
}
