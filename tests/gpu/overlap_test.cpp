// Copies, casts and steps over three slots in turn: nothing overlaps in memory, nothing stops the
// host, and the whole takes the time of its slowest stage.

#include <array>
#include <cstring>

#include "catch.h"
#include "gpu/recorded_engine.h"

using namespace millrace;
using test::OwnedBatch;
using test::RecordedEngine;

namespace {

constexpr int kSlots = 3;
constexpr int kBatches = 20;

nn::Model small_model() {
  return nn::ModelBuilder("m", {6, 6, 3}).conv(8).relu().flatten().dense(3).softmax().build();
}

/// Three slots of an engine, each with pinned memory of its own, and an executor.
class Loop {
 public:
  explicit Loop(const nn::Engine& engine)
      : model_(small_model()),
        data_(model_, nn::Loss::softmax_cross_entropy, 4, 1),
        executor_(test::executor(engine, model_, {.batch = 4})) {
    const std::size_t bytes = 4 * 6 * 6 * 3 * sizeof(float);
    for (Turn& turn : turns_) {
      turn.pixels = engine.host_buffer(Bytes{bytes});
      turn.slot =
          engine.device_input({.sample = model_.input, .pixels = DType::f32, .capacity = 4});
      std::memcpy(turn.pixels.data(), data_.batch().input.data, bytes);
    }
  }

  void train(int batches) {
    for (int i = 0; i < batches; ++i) {
      Turn& turn = turns_[static_cast<std::size_t>(step_ % kSlots)];
      Completion copied = turn.slot->upload({.pixels = turn.pixels.data(),
                                             .labels = data_.batch().labels.as<std::int32_t>(),
                                             .samples = 4});
      Completion cast = turn.slot->cast({{1, 1, 1}, {0, 0, 0}});
      copied.wait();
      cast.wait();
      executor_->start_train(test::in_slot(data_.batch(), *turn.slot), ++step_, 0.01);
    }
  }
  nn::StepResult finish() { return executor_->finish(); }

 private:
  struct Turn {
    Buffer pixels;
    std::unique_ptr<nn::DeviceInput> slot;
  };
  nn::Model model_;
  OwnedBatch data_;
  std::unique_ptr<nn::Executor> executor_;
  std::array<Turn, kSlots> turns_;
  int step_ = 0;
};

double replayed(const gpu::RecordingDevice& device, double copy, double step) {
  return device.replay([&](const gpu::Recorded& work) {
    if (work.kind == gpu::Recorded::Kind::graph) return step;
    const bool is_pixels = work.kind == gpu::Recorded::Kind::copy && work.bytes == 1728;
    return is_pixels ? copy : 0.0;
  });
}

}  // namespace

TEST_CASE("Steps over three slots overlap copies, stop no host and reuse no slot too early") {
  const RecordedEngine tested;
  Loop loop(*tested.engine);
  loop.train(2 * kSlots);  // plans and captures are made when a slot first comes
  CHECK(loop.finish().samples == 4 * 2 * kSlots);
  tested.device->clear();
  tested.device->forbid_host_stops(true);
  loop.train(kBatches);
  tested.device->forbid_host_stops(false);
  tested.check_device();

  // The slowest stage and the beginning or end of the other: 20 + 0.9 of 20.
  const double slow_steps = replayed(*tested.device, 0.9, 1.0);
  CHECK(slow_steps >= kBatches);
  CHECK(slow_steps <= 1.05 * kBatches);
  const double slow_copies = replayed(*tested.device, 1.0, 0.9);
  CHECK(slow_copies >= kBatches);
  CHECK(slow_copies <= 1.05 * kBatches);
  CHECK(loop.finish().samples == 4 * kBatches);
}

TEST_CASE("A copy that fails is an error of the upload, and the slots go in peace") {
  bool fails = false;
  gpu::Faults faults;
  faults.fails = [&](const gpu::Recorded& work) {
    return fails && work.kind == gpu::Recorded::Kind::copy;
  };
  const RecordedEngine tested({}, faults);
  Loop loop(*tested.engine);
  loop.train(4);
  fails = true;
  CHECK_THROWS_AS(loop.train(1), Error);
  fails = false;
}
