// Training is held against the memory of the device before anything is taken.

#include "apps/bench/synthetic.h"
#include "apps/common/gpu.h"
#include "catch.h"

#include <millrace/core/error.h>
#include <millrace/gpu/engine.h>
#include <millrace/gpu/fake/recording_device.h>
#include <millrace/training/compose_training.h>
#include <millrace/training/prepare_training.h>
#include <millrace/training/run_memory.h>

using namespace millrace;
using namespace millrace::apps;
using Catch::Contains;

namespace {

std::shared_ptr<const nn::Engine> engine_with(Bytes memory, nn::Precision precision) {
  gpu::Faults faults;
  faults.memory = memory;
  return gpu::make_engine(gpu::RecordingDevice::make(faults), {.precision = precision});
}

Training training(std::shared_ptr<const nn::Engine> engine, std::int64_t batch) {
  TrainingData data;
  data.training = SampleSet::all(std::make_shared<SyntheticDataset>(
      Shape{64, 64, 3}, static_cast<std::uint32_t>(batch), 4, 1));
  TrainSpec options;
  options.model.name = "cnn";
  options.images.size = ImageSize{64, 64};
  options.batch = batch;
  options.machine.memory_budget = 64_GiB;
  options.run.directory = "unused";
  return prepare_training(options, data, std::move(engine), {},
                          {.planned_memory = apps::planned_gpu_memory});
}

std::string refusal(const Training& t) {
  try {
    check_device_memory(t);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("training that a device has no memory for is refused with the largest batch that fits") {
  const auto engine = engine_with(1_GiB, nn::Precision::fp32);
  const std::string text = refusal(training(engine, 4096));
  INFO(text);
  CHECK_THAT(text, Contains("device memory: the plan needs") && Contains("of 1 GiB is free") &&
                       Contains("model: activations") && Contains("device batches") &&
                       Contains("total"));
  const std::size_t at = text.find("--batch ");
  REQUIRE(at != std::string::npos);
  const std::int64_t batch = std::stoll(text.substr(at + 8));
  CHECK(batch > 0);
  CHECK(refusal(training(engine, batch)).empty());
  // No more than the workspace that is counted in full, a quarter of this device, is left unused.
  CHECK_FALSE(refusal(training(engine, 2 * batch)).empty());
}

TEST_CASE("where not even one sample fits, no batch is named") {
  const std::string text = refusal(training(engine_with(8_MiB, nn::Precision::fp32), 64));
  CHECK_THAT(text, Contains("no batch fits") && !Contains("--batch"));
}

TEST_CASE("the sums of fp32 and fp16 stand side by side, and fp16 takes less") {
  const Training t = training(engine_with(8_GiB, nn::Precision::fp16), 256);
  const std::string text = describe_device_memory(t);
  INFO(text);
  CHECK_THAT(text, Contains("of the device's 8 GiB") && Contains("in fp32 at most") &&
                       Contains("in fp16 at most"));
  const auto bytes_after = [&text](const std::string& word) {
    const std::size_t begin = text.find(word) + word.size();
    return parse_bytes(text.substr(begin, text.find_first_of(",;", begin) - begin)).count;
  };
  CHECK(bytes_after("in fp16 at most ") < bytes_after("in fp32 at most "));
}

TEST_CASE("the memory of a device is not charged to that of the host") {
  const Training t = training(engine_with(8_GiB, nn::Precision::fp32), 16);
  const Plan plan = compose_training(t, {}, {}).plan();
  for (const Budget::Charge& charge : plan.charges) {
    INFO(charge.name);
    CHECK(charge.name.rfind("model: ", 0) != 0);
  }
  CHECK_THAT(device_memory(t).text(), Contains("model: parameters"));
}
