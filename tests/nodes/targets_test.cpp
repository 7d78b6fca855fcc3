// Targets of a data set on their way to an engine: numbers, of which some are not known.

#include "catch.h"
#include "nodes/with_targets.h"

#include <millrace/cpu/engine.h>
#include <millrace/nodes/copy_to_device.h>
#include <millrace/nodes/directory_reader.h>
#include <millrace/nodes/lost_samples.h>

#include <cmath>

using namespace millrace;
using Catch::Contains;

namespace {

SampleSet samples(std::uint32_t count) {
  return SampleSet::all(std::make_shared<const WithTargets>(count));
}

HostBatch host_batch(std::int64_t target_width) {
  return HostBatchFactory{.sample = {4, 4, 1}, .capacity = 4, .target_width = target_width}();
}

}  // namespace

TEST_CASE("a reader stamps the targets of its data set, and asks for no label") {
  DirectoryReader reader(samples(4), samples(3), {.batch = 4, .seed = 3});
  HostBatch batch = host_batch(2);
  for (const std::int64_t rows : {4, 3}) {
    REQUIRE(reader.next(batch));
    REQUIRE(batch.size == rows);
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto i = static_cast<std::size_t>(row);
      CHECK(batch.labels[i] == -1);
      CHECK(batch.target(row)[0] == static_cast<float>(batch.index[i]));
      const bool is_unknown = batch.index[i] % 3 == 0;
      CHECK(std::isnan(batch.target(row)[1]) == is_unknown);
      if (!is_unknown) CHECK(batch.target(row)[1] == 10 * batch.target(row)[0]);
    }
  }
}

TEST_CASE("a slot for targets of another width is refused before it is stamped") {
  DirectoryReader reader(samples(4), {}, {.batch = 4});
  HostBatch batch = host_batch(3);
  CHECK_THROWS_WITH(reader.next(batch), Contains("targets of 3 numbers do not fit 2 targets"));
}

TEST_CASE("outputs whose targets are not known get no weight on their way to a device") {
  Budget budget;
  const std::shared_ptr<const nn::Engine> engine = cpu::make_engine({.threads = 1});
  DirectoryReader reader(samples(4), {}, {.batch = 4, .shuffle = false});
  for (const bool weighs : {true, false}) {
    INFO(weighs);
    DirectoryReader copy = reader;
    Pool<HostBatch> hosts(
        "host", 1, HostBatchFactory{.sample = {4, 4, 1}, .capacity = 4, .target_width = 2}, budget);
    Pool<DeviceBatch> devices("device", 1,
                              DeviceBatchFactory{.engine = engine,
                                                 .sample = {4, 4, 1},
                                                 .capacity = 4,
                                                 .target_width = 2,
                                                 .weighs_outputs = weighs},
                              budget);
    const Lease<HostBatch> host = hosts.try_acquire();
    REQUIRE(copy.next(*host));
    host->weights = {1, 2, 3, 4};
    if (!weighs) {
      CHECK_THROWS_WITH(CopyToDevice(engine)({host, devices.try_acquire()}),
                        "a target is NaN, which says that it is unknown; set "
                        "DeviceBatchFactory::weighs_outputs, so that it is left out of the loss");
      for (const std::int64_t row : {0, 3}) host->target(row)[1] = 0;
    }
    const Lease<DeviceBatch> device = CopyToDevice(engine)({host, devices.try_acquire()});
    const nn::Batch view = device->view();
    CHECK(view.weighs_outputs == weighs);
    const std::vector<float> weights(view.weights.begin(), view.weights.end());
    const std::vector<float> of_outputs{1, 0, 2, 2, 3, 3, 4, 0}, of_samples{1, 2, 3, 4};
    CHECK(weights == (weighs ? of_outputs : of_samples));
    CHECK(view.labels.as<float>()[2] == 1);
    CHECK(view.labels.as<float>()[3] == 10);
  }
}

TEST_CASE("samples with targets that are lost are told by their share, not by class") {
  const SampleSet set = samples(4);
  LostSamples lost(set, {});
  lost.note(Phase::training, 1, true);
  for (const std::uint32_t i : {0U, 2U, 3U}) lost.note(Phase::training, i, false);
  CHECK(lost.warnings(set, Phase::training, "images") ==
        std::vector<std::string>{"1 of 4 images could not be read, 25.0 %"});
}
