// --resident: what it cannot go with, and the loading of the samples, on the recording device.

#include "apps/resident_runs.h"
#include "catch.h"

#include <millrace/gpu/engine.h>
#include <millrace/gpu/fake/recording_device.h>
#include <millrace/nn/reference/engine.h>
#include <millrace/training/prepare_training.h>
#include <millrace/training/run_memory.h>

using namespace millrace;
using namespace millrace::test;
using Catch::Contains;

TEST_CASE("what cannot go with resident samples is refused, in one line that says what to do") {
  const Scratch scratch;
  TrainSpec o = resident(options_in(scratch));
  std::shared_ptr<const nn::Engine> engine = gpu::make_engine(gpu::RecordingDevice::make(), {});
  std::string expected;
  SECTION("on the CPU") {
    engine = std::make_shared<const nn::ReferenceEngine>();
    expected = "computes on the CPU";
  }
  SECTION("augmentation") {
    o.augmentation.horizontal_flip = true;
    o.augmentation.rotation_range = 10;
    expected = "changed in no other way";
  }
  SECTION("replay") {
    o.data.replay = 2;
    expected = "--replay feeds a few";
  }
  try {
    (void)prepare_training(o, data_with(), engine);
    FAIL_CHECK("it was not refused");
  } catch (const UsageError& error) {
    CHECK_THAT(error.what(), Contains("--resident") && Contains(expected));
    CHECK_THAT(error.what(), !Contains("\n"));
  }
}

TEST_CASE("resident samples count in the device's memory, and leaving them there is one way out") {
  const Scratch scratch;
  gpu::Faults faults;
  faults.memory = Bytes{30'000};
  const Training t = prepare_training(resident(options_in(scratch)), data_with(),
                                      gpu::make_engine(gpu::RecordingDevice::make(faults), {}));
  CHECK_THROWS_WITH(check_device_memory(t), Contains("29.3 KiB") && Contains("resident samples") &&
                                                Contains("or leave --resident out"));
}

TEST_CASE("loading resident samples ends at once when it is asked to stop") {
  const Scratch scratch;
  const Training t = prepare_training(resident(options_in(scratch)), data_with(),
                                      gpu::make_engine(gpu::RecordingDevice::make(), {}));
  std::stop_source stop;
  stop.request_stop();
  CHECK_THROWS_AS(t.feed->load({{}, stop.get_token()}), Stopped);
}

TEST_CASE("the same training can be loaded again, and a bad image is told of once") {
  const Scratch scratch;
  TrainSpec o = resident(options_in(scratch));
  o.data.on_bad_image = BadImages::skip;
  const Training t =
      prepare_training(o, data_with({5, 12}), gpu::make_engine(gpu::RecordingDevice::make(), {}));
  for (int i = 0; i < 2; ++i) {
    CHECK(t.feed->load({}).skipped.size() == 2);
    CHECK(resident_data(t).size == kTraining + kValidation - 2);
  }
}
