// The engine on the recording device alone: what is read from its record, what needs memory counted
// to the byte, and devices that lack something.

#include <millrace/core/error.h>
#include <millrace/gpu/memory_plan.h>

#include <limits>

#include "catch.h"
#include "gpu/recorded_engine.h"

using namespace millrace;
using nn::ModelBuilder;
using nn::Padding;
using nn::Precision;
using test::adam;
using test::kSoftmax;
using test::OwnedBatch;
using test::RecordedEngine;
using test::small_convnet;

namespace {

void check_without(const gpu::Faults& lacking, const nn::Model& model,
                   const std::vector<std::int64_t>& samples) {
  const nn::CompileOptions options{.batch = 7, .optimizer = {.learning_rate = 0.1}};
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    INFO(nn::to_string(precision));
    const RecordedEngine tested({.precision = precision}, lacking);
    test::check_model(*tested.engine, test::reference_for(precision), model, options, samples,
                      test::nearness_of(precision));
    tested.check_device();
  }
}

}  // namespace

TEST_CASE("A training step is one launch of a graph and one of its numbers") {
  const nn::Model model = small_convnet();
  const RecordedEngine tested(Precision::fp16);
  const auto executor = test::executor(*tested.engine, model, adam(8));
  const OwnedBatch data(model, kSoftmax, 8, 1);
  const auto slot = test::slot_with(*tested.engine, model, data.batch(), 8);
  const nn::Batch batch = test::in_slot(data.batch(), *slot);
  for (int t = 1; t <= 2; ++t) executor->start_train(batch, t, 1e-3);
  tested.device->clear();
  tested.device->forbid_host_stops(true);
  for (int t = 3; t <= 5; ++t) executor->start_train(batch, t, 1e-3);
  tested.device->forbid_host_stops(false);
  std::size_t graphs = 0, launches = 0, others = 0;
  for (const gpu::Recorded& recorded : tested.device->record()) {
    using Kind = gpu::Recorded::Kind;
    if (recorded.kind == Kind::graph)
      ++graphs;
    else if (recorded.kind == Kind::launch)
      ++launches;
    else if (recorded.kind != Kind::record && recorded.kind != Kind::wait)
      ++others;
  }
  CHECK(graphs == 3);
  CHECK(launches == 3);
  CHECK(others == 0);
  CHECK(executor->finish().samples == 40);
  tested.check_device();
}

TEST_CASE("The device gives what memory() says, and the plan without a device says no less") {
  const nn::Model model = small_convnet();
  for (const Precision precision : {Precision::fp32, Precision::fp16}) {
    nn::CompileOptions options = adam(8);
    options.other_batches = {3};
    options.masks = true;
    options.gradient.l2 = 0.1;
    const RecordedEngine tested(precision);
    const auto executor = tested.engine->compile(model, options);
    const Bytes before = tested.device->memory().free;
    executor->allocate();
    const Bytes taken = before - tested.device->memory().free;
    CHECK(taken == nn::total(executor->memory()));
    executor->release();
    CHECK(tested.device->memory().free == before);

    const auto planned = gpu::plan_memory(model, options, precision);
    const auto lines = executor->memory();
    REQUIRE(planned.size() == lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      CHECK(planned[i].name == lines[i].name);
      if (lines[i].name != "scratch") CHECK(planned[i].bytes == lines[i].bytes);
      CHECK(planned[i].bytes >= lines[i].bytes);
    }
  }
}

TEST_CASE("Memory that the device does not have is refused with the name of the part") {
  gpu::Faults faults;
  faults.memory = Bytes{200'000};
  const RecordedEngine tested({}, faults);
  const auto executor = tested.engine->compile(small_convnet(), adam(64));
  CHECK_THROWS_WITH(executor->allocate(), Catch::Contains("activations"));
}

TEST_CASE("A slot takes what device_input_bytes() says") {
  const RecordedEngine tested(Precision::fp16);
  const nn::DeviceInputLayout layout{.sample = {9, 7, 3}, .capacity = 5, .target_width = 4};
  const Bytes before = tested.device->memory().free;
  const auto slot = tested.engine->device_input(layout);
  CHECK(before - tested.device->memory().free == tested.engine->device_input_bytes(layout));
}

TEST_CASE("Chains of dense layers agree where a library has no epilogues") {
  ModelBuilder builder("m", {13});
  builder.dense(9).relu().dense(20).relu().dense(7, false).relu().dense(6).dropout(0.5F).relu();
  check_without({.has_fused_epilogues = false}, builder.dense(5).softmax().build(), {7, 3, 1});
}

TEST_CASE("A convolution without a plan for bias and ReLU has kernels for them") {
  ModelBuilder builder("m", {9, 8, 3});
  builder.conv(5).relu().conv(6, 3, Padding::valid, 1, false).relu().conv(4, 2);
  check_without({.has_fused_convolutions = false}, builder.flatten().dense(4).softmax().build(),
                {7, 3});
}

TEST_CASE("an engine without patience is refused") {
  for (const double patience : {0.0, -1.0, 1e9, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK_THROWS_AS(RecordedEngine({.patience = patience}), UsageError);
  }
}
