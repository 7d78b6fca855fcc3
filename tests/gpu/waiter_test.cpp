#include "catch.h"

#include <millrace/core/error.h>
#include <millrace/gpu/waiter.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

using namespace millrace;
using namespace millrace::gpu;
using Catch::Contains;
using Seconds = Waiter::Seconds;

namespace {

// An event that passes when the test says so.
struct ManualEvent : Event {
  double at = 0;
  bool passed = false;
  std::string error;
};

[[noreturn]] void unused() {
  throw std::logic_error("not part of this test");
}

// A device of which only synchronize() and seconds_between() are used.
class ManualDevice : public Device {
 public:
  void pass(ManualEvent& event, std::string error = {}) {
    {
      const std::scoped_lock lock(mutex_);
      event.passed = true;
      event.error = std::move(error);
    }
    changed_.notify_all();
  }
  // The stuck thread comes back, as from a driver that was reset.
  void give_up() {
    {
      const std::scoped_lock lock(mutex_);
      gave_up_ = true;
    }
    changed_.notify_all();
  }

  void synchronize(const Event& event) override {
    const auto& manual = dynamic_cast<const ManualEvent&>(event);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return gave_up_ || manual.passed; });
    if (gave_up_) return;
    if (!manual.error.empty()) throw Error(manual.error);
  }
  double seconds_between(const Event& begin, const Event& end) override {
    return dynamic_cast<const ManualEvent&>(end).at - dynamic_cast<const ManualEvent&>(begin).at;
  }

  void abandon() noexcept override { abandoned = true; }
  std::atomic<bool> abandoned = false;

  const DeviceFacts& facts() const override { unused(); }
  nn::DeviceMemory memory() const override { unused(); }
  Buffer allocate(Bytes, const char*) override { unused(); }
  Buffer allocate_pinned(Bytes) override { unused(); }
  std::unique_ptr<Stream> make_stream(const char*) override { unused(); }
  std::unique_ptr<Event> make_event(bool) override { unused(); }
  void record(Event&, Stream&) override { unused(); }
  void wait(Stream&, const Event&) override { unused(); }
  void copy(Stream&, void*, const void*, Bytes, Copy) override { unused(); }
  void fill(Stream&, void*, int, Bytes) override { unused(); }
  void launch(Stream&, const Launch&) override { unused(); }
  std::unique_ptr<ConvolutionPlan> plan(const Convolution&, Bytes) override { unused(); }
  void run(Stream&, const ConvolutionPlan&, const ConvolutionMemory&) override { unused(); }
  std::unique_ptr<MatmulPlan> plan(const Matmul&, Bytes) override { unused(); }
  void run(Stream&, const MatmulPlan&, const MatmulMemory&) override { unused(); }
  void begin_capture(Stream&) override { unused(); }
  std::unique_ptr<StepGraph> end_capture(Stream&) override { unused(); }
  void launch(Stream&, StepGraph&) override { unused(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool gave_up_ = false;
};

std::string error_of(const Completion& completion) {
  try {
    (void)completion.wait();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("Waiter ends promises in the order of adding with the time between their events") {
  const auto device = std::make_shared<ManualDevice>();
  std::vector<ManualEvent> begins(3);
  std::vector<ManualEvent> ends(3);
  std::vector<int> order;
  std::vector<double> seconds;
  {
    Waiter waiter(device);
    for (std::size_t i = 0; i < 3; ++i) {
      begins[i].at = static_cast<double>(i);
      ends[i].at = 1.5 * static_cast<double>(i) + 0.25;
      waiter.when_passed(ends[i], &begins[i], "copy").then([&, i](const Outcome& outcome) {
        order.push_back(static_cast<int>(i));
        seconds.push_back(outcome.device_s);
      });
    }
    // Last first: what comes later must still wait for what was added earlier.
    for (std::size_t i = 3; i-- > 0;) device->pass(ends[i]);
  }
  CHECK(order == std::vector<int>{0, 1, 2});
  CHECK(seconds == std::vector<double>{0.25, 0.75, 1.25});
}

TEST_CASE("Waiter waits in one line for nothing that stands in another") {
  const auto device = std::make_shared<ManualDevice>();
  ManualEvent copied;
  ManualEvent cast;
  ManualEvent stepped;
  Waiter waiter(device);
  const Completion copy = waiter.when_passed(copied, nullptr, "copy", Waiter::Line::copies);
  const Completion ready = waiter.when_passed(cast, nullptr, "cast", Waiter::Line::casts);
  device->pass(cast);
  CHECK(ready.wait().device_s == 0);
  device->pass(stepped);
  waiter.wait(stepped, "step");
  device->pass(copied);
  (void)copy.wait();
}

TEST_CASE("Waiter hands on what went wrong before an event, and goes on") {
  const auto device = std::make_shared<ManualDevice>();
  ManualEvent bad;
  ManualEvent good;
  Waiter waiter(device);
  const Completion first = waiter.when_passed(bad, nullptr, "copy of batch");
  const Completion second = waiter.when_passed(good, nullptr, "cast");
  device->pass(bad, "cuda: an illegal memory access was encountered");
  device->pass(good);
  CHECK(error_of(first) == "gpu: copy of batch: cuda: an illegal memory access was encountered");
  CHECK(second.wait().device_s == 0);
}

TEST_CASE("Waiter names the oldest event that does not come, and ends all promises") {
  const auto device = std::make_shared<ManualDevice>();
  ManualEvent never;
  ManualEvent behind;
  ManualEvent later;
  {
    Waiter waiter(device, Seconds(0.02));
    const Completion first = waiter.when_passed(never, nullptr, "copy of batch");
    const Completion second = waiter.when_passed(behind, nullptr, "cast of batch");
    const std::string expected =
        "gpu: copy of batch did not end within 0.02 s: the device does not answer";
    CHECK(error_of(first) == expected);
    CHECK(error_of(second) == expected);
    CHECK(error_of(waiter.when_passed(later, nullptr, "step")) == expected);
    CHECK_THROWS_WITH(waiter.wait(later, "the last steps"), expected);
    CHECK(device->abandoned);
  }  // returns although the thread is still stuck
  device->give_up();
}

TEST_CASE("Waiter can be destroyed by one of its own continuations") {
  const auto device = std::make_shared<ManualDevice>();
  ManualEvent event;
  auto waiter = std::make_shared<Waiter>(device);
  const std::weak_ptr<Waiter> watched = waiter;
  const auto gone = std::make_shared<Promise>();
  const Completion is_gone = gone->completion();
  waiter->when_passed(event, nullptr, "step").then([held = waiter, gone](const Outcome&) mutable {
    held.reset();
    gone->end({});
  });
  waiter.reset();
  REQUIRE_FALSE(watched.expired());
  device->pass(event);
  CHECK_NOTHROW(is_gone.wait());
  CHECK(watched.expired());
}

TEST_CASE("Waiter's destructor waits for what was added") {
  const auto device = std::make_shared<ManualDevice>();
  std::vector<ManualEvent> events(50);
  std::atomic<int> ended{0};
  std::thread passing;
  {
    Waiter waiter(device);
    for (const ManualEvent& event : events) {
      waiter.when_passed(event, nullptr, "step").then([&](const Outcome& outcome) {
        if (!outcome.error) ++ended;
      });
    }
    passing = std::thread([&] {
      for (ManualEvent& event : events) device->pass(event);
    });
  }
  CHECK(ended == 50);
  passing.join();
}
