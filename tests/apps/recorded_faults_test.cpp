// What can fail on a device, through the program's own training pipeline: the run ends with one
// line that says what failed and where, nothing of it is left, and the next training runs.

#include "apps/recorded_training.h"

#include <atomic>
#include <chrono>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;
using gpu::Recorded;
using Kind = Recorded::Kind;

namespace {

constexpr int kCopies = 0, kCasts = 1, kSteps = 2;  // streams in the order of their making
constexpr double kPatience = 0.1;

TrainSpec small_run(const Scratch& scratch) {
  TrainSpec options = options_for(write_images(scratch, 10), "cnn:4:8");
  options.epochs = 3;
  options.machine.report_every = 1;  // so that a step that fails is heard of in its own stage
  return options;
}

/// The n-th call of a kind in a stream, from 1, once it is armed.
class Nth {
 public:
  Nth(Kind kind, int stream, int n) : kind_(kind), stream_(stream), n_(n) {}
  bool operator()(const Recorded& call) const {
    return *is_armed_ && call.kind == kind_ && (stream_ < 0 || call.stream == stream_) &&
           ++*count_ == n_;
  }
  void arm() const { *is_armed_ = true; }

 private:
  Kind kind_;
  int stream_, n_;
  std::shared_ptr<std::atomic<bool>> is_armed_ = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<std::atomic<int>> count_ = std::make_shared<std::atomic<int>>(0);
};

struct Failure {
  std::string stage, line;
};

/// The failure of a run whose steps have begun.
Failure failure_of(const RecordedTraining& recorded, const Nth& fault) {
  recorded.allocate();
  const Bytes device = recorded.device_memory();
  const Bytes pinned = recorded.device->pinned_memory();
  fault.arm();
  Failure failure;
  const auto begin = std::chrono::steady_clock::now();
  try {
    (void)apps::compose_training(recorded.training, {}, {}).run();
  } catch (const StageError& error) {
    failure = {error.stage(), error.what()};
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  CHECK(took.count() < 60);  // of the whole patience of a loaded machine
  CHECK(failure.line.find('\n') == std::string::npos);
  // All leases are home, or their slots would still hold memory.
  CHECK(recorded.device_memory() == device);
  CHECK(recorded.device->pinned_memory() == pinned);
  return failure;
}

void check_next_training(const Scratch& scratch) {
  TrainSpec options = options_for(scratch / "data", "cnn:4:8");
  const RecordedTraining next(options);
  CHECK(next.run().stage("train").items == 5);
  next.check_device();
}

/// Device and pinned memory of a training that is gone.
void check_nothing_is_left(const gpu::RecordingDevice& device) {
  const nn::DeviceMemory memory = device.memory();
  CHECK(memory.free == memory.total);
  CHECK(device.pinned_memory() == 0_B);
}

}  // namespace

TEST_CASE("work that the device refuses ends the run with a line that names the stage") {
  struct Case {
    Nth fault;
    std::string stage, line;
  };
  const Case one = GENERATE(
      Case{{Kind::copy, kCopies, 1}, "copy", "copy: cuda: copy to_device failed"},
      Case{{Kind::copy, kCopies, 8}, "copy", "copy: cuda: copy to_device failed"},
      Case{{Kind::record, kCopies, 5}, "copy", "copy: cuda: record failed"},
      Case{{Kind::launch, kCasts, 1}, "cast", "cast: cuda: launch"},
      Case{{Kind::launch, kCasts, 6}, "cast", "cast: cuda: launch"},
      Case{{Kind::launch, kSteps, 1}, "train", "train: cuda: launch"},
      Case{{Kind::matmul, kSteps, 1}, "train", "train: cuda: matmul"},
      Case{{Kind::matmul, kSteps, 8}, "train", "train: cuda: matmul"},  // while it is captured
      Case{{Kind::begin_capture, kSteps, 1}, "train", "train: cuda: begin_capture failed"},
      Case{{Kind::end_capture, kSteps, 2}, "train", "train: cuda: end_capture failed"},
      Case{{Kind::graph, kSteps, 1}, "train", "train: cuda: graph graph failed"},
      Case{{Kind::graph, kSteps, 5}, "train", "train: cuda: graph graph failed"},
      Case{{Kind::copy, kSteps, 3}, "train", "train: cuda: copy to_host failed"},
      Case{{Kind::synchronize, -1, 4}, "", "failed: a fault that was asked for"});
  INFO(one.line);
  const Scratch scratch;
  std::shared_ptr<gpu::RecordingDevice> device;
  {
    RecordedTraining recorded(small_run(scratch), {}, {.fails = one.fault});
    device = recorded.device;
    const Failure failure = failure_of(recorded, one.fault);
    if (!one.stage.empty()) CHECK(failure.stage == one.stage);
    CHECK_THAT(failure.line, Contains(one.line));
    // The executor can still be asked, and gives its memory back.
    CHECK_NOTHROW(recorded.weights());
    CHECK_NOTHROW(recorded.training.state->executor->release());
    recorded.check_device();
  }
  check_nothing_is_left(*device);
  check_next_training(scratch);
}

TEST_CASE("an event that is lost ends the run once the engine's patience is over") {
  struct Case {
    Nth lost;
    std::string stage, what;
  };
  const Case one = GENERATE(
      Case{{Kind::record, kCopies, 2}, "copy", "the copy of a batch"},   // the first one's end
      Case{{Kind::record, kCopies, 12}, "copy", "the copy of a batch"},  // in the middle
      Case{{Kind::record, kCasts, 2}, "cast", "the cast of a batch"},
      Case{{Kind::record, kCasts, 10}, "cast", "the cast of a batch"},
      Case{{Kind::record, kSteps, 1}, "train", "the last steps"},
      Case{{Kind::record, kSteps, 8}, "train", "the last steps"});
  INFO(one.what);
  const Scratch scratch;
  std::shared_ptr<gpu::RecordingDevice> device;
  {
    RecordedTraining recorded(small_run(scratch), {.patience = kPatience},
                              {.never_ends = one.lost});
    device = recorded.device;
    const Failure failure = failure_of(recorded, one.lost);
    CHECK(failure.stage == one.stage);
    CHECK(failure.line == concat(one.stage, ": gpu: ", one.what, " did not end within ", kPatience,
                                 " s: the device does not answer"));
    CHECK_THROWS_WITH(recorded.weights(), Contains("the device does not answer"));
    for (const std::string& violation : device->violations()) FAIL_CHECK(violation);
  }
  device->give_up();  // the thread that is stuck in the driver
  check_nothing_is_left(*device);
  check_next_training(scratch);
}

TEST_CASE("a device that has no memory for model or batches says what for") {
  const Scratch scratch;
  const auto needs = [&] {
    const RecordedTraining asked(small_run(scratch));
    return std::pair(nn::total(asked.training.state->executor->memory()),
                     asked.training.feed->device_batches().device_bytes());
  }();
  const auto error_with = [&](Bytes memory) {
    const RecordedTraining recorded(small_run(scratch), {}, {.memory = memory});
    const std::string error = error_of([&] { (void)recorded.run(); });
    recorded.check_device();
    CHECK_FALSE(error.empty());
    return error;
  };
  CHECK_THAT(error_with(100_B), Contains("gpu: no memory for parameters: "));
  CHECK_THAT(error_with(needs.first - 1_B), Contains("gpu: no memory for scratch: "));
  CHECK_THAT(error_with(needs.first), Contains("gpu: no memory for a slot for batches: "));
  CHECK_THAT(error_with(needs.first + needs.second), Contains("a slot for batches: "));
  const RecordedTraining fits(small_run(scratch), {}, {.memory = needs.first + 2 * needs.second});
  CHECK_NOTHROW(fits.run());
}

TEST_CASE("pinned memory or a plan that is refused ends a training before its first step") {
  const Scratch scratch;
  const int n = GENERATE(1, 3, 4, 7);
  const Nth pinned(Kind::allocate, -1, n);
  const auto is_pinned = [pinned](const Recorded& call) {
    return call.name == "pinned memory" && pinned(call);
  };
  std::shared_ptr<gpu::RecordingDevice> device;
  {
    const RecordedTraining recorded(small_run(scratch), {}, {.fails = is_pinned});
    device = recorded.device;
    pinned.arm();
    CHECK(error_of([&] { (void)recorded.run(); }) ==
          "cuda: allocate pinned memory failed: a fault that was asked for");
    recorded.check_device();
  }
  check_nothing_is_left(*device);

  const Nth plan(Kind::plan, -1, n);
  plan.arm();
  CHECK_THAT(error_of([&] { RecordedTraining(small_run(scratch), {}, {.fails = plan}); }),
             Contains("cuda: plan ") && Contains("failed: a fault that was asked for"));
  check_next_training(scratch);
}
